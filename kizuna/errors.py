"""Errors a person meets, each with the exit code of the command line.

The message says what is wrong, where (file, line, key, variable) and what to do; nobody should need a traceback.
"""


class KizunaError(Exception):
    """Root of every error that is somebody's to mend rather than a bug."""

    exit_code = 1


class SettingsError(KizunaError):
    """A setting or an environment variable is missing or not allowed."""

    exit_code = 2


class BuildError(KizunaError):
    """A build cannot start or go on."""

    exit_code = 3


class GateFailed(KizunaError):
    """A gate stopped the build; what was published before stays."""

    exit_code = 4


class LeaseHeld(KizunaError):
    """Another build is at work."""

    exit_code = 5


class PublishError(KizunaError):
    """The publisher refused or could not finish; readers still see the previous version."""

    exit_code = 6


class DeliveryError(KizunaError):
    """Messages could not be sent; they stay in the outbox."""

    exit_code = 7


class InputError(KizunaError):
    """A file, a contract or a command's argument is not usable."""

    exit_code = 8


class MachineError(KizunaError):
    """The machine refused: a full or broken disk, a missing permission, too little memory."""

    exit_code = 9


class Unwell(KizunaError):
    """`kizuna doctor` or `kizuna watch` found something that a person must look at."""

    exit_code = 10
