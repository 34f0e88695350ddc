"""What an operator may write in ``lockgate.toml``, as Structs. Unknown keys are refused with file and line.

Pure: the text comes in as an argument; reading files and the environment is the store's work.
"""

from lockgate.config.document import Document as Document
from lockgate.config.document import JournalSettings as JournalSettings
from lockgate.config.document import KeySettings as KeySettings
from lockgate.config.document import LimitSettings as LimitSettings
from lockgate.config.document import ModelSettings as ModelSettings
from lockgate.config.document import ProviderSettings as ProviderSettings
from lockgate.config.document import ServerSettings as ServerSettings
from lockgate.config.document import SimulatorSettings as SimulatorSettings
from lockgate.config.document import TimeoutSettings as TimeoutSettings
from lockgate.config.read import read_document as read_document
