"""Where a picture goes in a message: shared by the sender (Slack file) and the preview (embedded picture)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Block = dict[str, Any]

#: Slack refuses a message with more blocks.
MAX_BLOCKS = 50
_CLOSING = ("context", "actions", "divider")


def _is_placeholder(block: Mapping[str, Any]) -> bool:
    """An image block without a source: the message says where its chart belongs, the transport fills it in."""
    return block.get("type") == "image" and not (block.get("image_url") or block.get("slack_file"))


def alt_text(payload: Mapping[str, Any]) -> str:
    """Description of the picture: the placeholder's own, else the message's text (Slack allows 2,000 characters)."""
    for block in payload.get("blocks") or ():
        if _is_placeholder(block) and block.get("alt_text"):
            return str(block["alt_text"])[:2000]
    return str(payload.get("text", ""))[:2000]


def with_image(blocks: Sequence[Block], source: Mapping[str, Any], alt: str) -> list[Block]:
    """Blocks with the picture in its placeholder; without one after the first figures (a section with fields), where
    the eye is, or else before the closing context and buttons."""
    image = {"type": "image", "alt_text": alt, **source}
    for position, block in enumerate(blocks):
        if _is_placeholder(block):
            return [*blocks[:position], {**block, **image}, *without_image(blocks[position + 1 :])]
    if len(blocks) >= MAX_BLOCKS:
        return list(blocks)
    figures = next((place for place, block in enumerate(blocks) if block.get("fields")), None)
    end = len(blocks) if figures is None else figures + 1
    while figures is None and end and blocks[end - 1].get("type") in _CLOSING:
        end -= 1
    return [*blocks[:end], image, *blocks[end:]]


def without_image(blocks: Sequence[Block]) -> list[Block]:
    """Blocks without placeholders, which Slack would refuse."""
    return [block for block in blocks if not _is_placeholder(block)]
