"""One tree of errors; each message says where, what was asked, what is possible and what to do."""

from __future__ import annotations


class CellosError(Exception):
    """Base of every error that a person can act on; panels and the CLI show it without a traceback."""

    exit_code: int = 1
    """What a command that ends with this error returns: 2 for wrong input, 1 for a failure."""


class InputError(CellosError):
    """What was asked for cannot be done as written; nothing has moved and nothing was stored."""

    exit_code = 2


class ConfigError(InputError):
    """A campaign or machine configuration is missing, malformed or impossible."""


class ProposalError(InputError):
    """An experiment was proposed that cannot exist, such as a dose of zero or below."""


class ScreenError(InputError):
    """A file of measured responses is missing, malformed, or does not hold the point asked for."""


class CompileError(InputError):
    """Proposals cannot be turned into a plate."""


class LayoutError(CompileError):
    """The wells asked for do not fit the plate."""


class ConfoundedLayoutError(LayoutError):
    """The places of the wells alone would pass for an effect; says which comparison, and what to change."""


class PipettingError(CompileError):
    """A volume cannot be delivered by the machine, at any allowed dilution."""


class StockError(CompileError):
    """A compound has no stock, or less than the plate needs."""


class CampaignError(InputError):
    """A campaign by that name does not exist, exists already, or is not in a state for this."""


class ApprovalError(InputError):
    """A real machine was asked to execute a workflow that nobody approved for it, or there is no proof to approve."""


class CampaignFailedError(CellosError):
    """A campaign ended because nothing could be measured; what was tried is stored."""


class AnalysisError(InputError):
    """The numbers given do not allow the analysis asked for."""


class MessageError(InputError):
    """A message to people cannot be sent as it is: no title, or one of several lines."""


class ChannelNotConfiguredError(InputError):
    """Messages were to go to a channel for which the environment names no address."""


class ReaderFileError(InputError):
    """A plate reader's file is not of this plate, not whole, or not readable; it is kept, and nothing was taken."""


class ChannelUrlError(InputError):
    """An address in the environment cannot be used, or an address was given in place of a channel's name."""


class NotDeliveredError(CellosError):
    """A service did not take a message; what was to be told is kept, and the run goes on."""


class StoreError(CellosError):
    """The database cannot be opened, read or written."""


class StoreVersionError(StoreError):
    """The database was written by a newer release than this one."""


class StoreCorruptError(StoreError):
    """The database file is damaged or is not a database of this software."""


class StoreWriteError(StoreError):
    """The database cannot be written: full disk, read-only folder, or locked for too long."""


class ArtifactError(CellosError):
    """An artifact is missing, or is not any more what was written."""


class OutputError(CellosError):
    """A file that was to be written could not be: full disk or read-only folder."""


class LeaseError(CellosError):
    """Another dispatcher holds this database, or took it over."""


class StoppedError(CellosError):
    """A person stopped the work; what was done is kept, and resuming goes on from there."""


class CampaignPausedError(StoppedError):
    """A person paused the campaign; no further plate of it was begun."""


class MachineError(CellosError):
    """A device refused, failed or cannot be reached."""


class MachineRefusedError(MachineError):
    """The device declined a step in preflight; it proves that nothing has moved."""


class StepFailedError(MachineError):
    """The device reports that a step ended in failure after it may have begun."""


class StepUnderWayError(MachineError):
    """A step was handed to a person and will end later; asking what became of it tells how far it is."""


class RobotAwayError(MachineError):
    """The robot cannot be reached now: no worker of the cluster offers it, or nothing listens at its address."""


class AnswerLostError(MachineError):
    """A request was sent to a robot and no usable answer came back: it may have taken effect."""


class RequestRefusedError(MachineError):
    """A robot declined a request; it had no effect."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class StuckError(MachineError):
    """A device has not answered for much longer than a step takes."""


class InDoubtError(MachineError):
    """It cannot be told whether a step that must not be repeated took effect; a person must choose."""


class HardwareEnvironmentError(MachineError):
    """The software of a machine's vendor is not installed in its private environment, or cannot be."""


class WorkerError(MachineError):
    """The process that drives a vendor's software died or fell silent; nothing real was touched."""


class ProtocolRefusedError(MachineRefusedError):
    """The vendor's own software refuses a protocol, or reads other volumes out of it than were compiled."""


class AssistantNotConfiguredError(InputError):
    """The assistant was asked, but the environment names no service, or one that a key must not be sent to."""


class AssistantError(CellosError):
    """The assistant's service cannot be reached, refused, or gave no usable answer; nothing depends on it."""


class InventoryError(InputError):
    """A booking of the stock that cannot be: no such resource or lot, or more than there is."""


class OutOfStockError(InputError):
    """A run needs more than is in stock and usable; the message says what to order. Nothing was begun."""
