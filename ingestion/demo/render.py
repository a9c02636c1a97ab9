"""How people type: the same address and the same phone number in the forms that real exports hold."""

_FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in "0123456789+-@.abcdefghijklmnopqrstuvwxyz"}


def email_text(email: str, salt: int) -> str:
    """Mostly as it is; sometimes in mixed case, with a stray blank, or in full-width letters."""
    if "@" not in email or email.startswith(("test@", "info@", "noreply@", "not-")):
        return email
    form = salt % 29
    if form in (3, 11):
        name, domain = email.split("@")
        return f"{name.title()}@{domain.upper() if form == 11 else domain}"
    if form == 17:
        return email.upper()
    if form == 23:
        return email + " "
    return email.translate(_FULL_WIDTH) if form == 27 else email


def phone_text(national: str, salt: int) -> str:
    """A national number (`09012345678`, `0312340100`) in one of seven Japanese ways of writing it."""
    if not national or not national.isdigit() or len(national) < 10:
        return national
    first = 3 if len(national) == 11 else 2
    parts = (national[:first], national[first : first + 4], national[first + 4 :])
    forms = (
        "-".join(parts),
        national,
        f"+81 {parts[0][1:]}-{parts[1]}-{parts[2]}",
        f"+81{national[1:]}",
        "-".join(parts).translate(_FULL_WIDTH),
        " ".join(parts),
        f"({parts[0]}){parts[1]}-{parts[2]}",
    )
    return forms[salt % len(forms)]
