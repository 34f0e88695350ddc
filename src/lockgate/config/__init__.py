"""What an operator may write in ``lockgate.toml``, as Structs. Unknown keys are refused with file and line.

Pure: the text comes in as an argument; reading files and the environment is the store's work.
"""

from lockgate.config.document import AlertSettings as AlertSettings
from lockgate.config.document import CacheSettings as CacheSettings
from lockgate.config.document import ConfigSettings as ConfigSettings
from lockgate.config.document import CounterSettings as CounterSettings
from lockgate.config.document import DatabaseSettings as DatabaseSettings
from lockgate.config.document import DefaultSettings as DefaultSettings
from lockgate.config.document import Document as Document
from lockgate.config.document import JournalSettings as JournalSettings
from lockgate.config.document import KeySettings as KeySettings
from lockgate.config.document import LimitSettings as LimitSettings
from lockgate.config.document import MetadataSettings as MetadataSettings
from lockgate.config.document import ModelSettings as ModelSettings
from lockgate.config.document import PriceSettings as PriceSettings
from lockgate.config.document import ProviderSettings as ProviderSettings
from lockgate.config.document import RateLimits as RateLimits
from lockgate.config.document import RateLimitSettings as RateLimitSettings
from lockgate.config.document import RecordSettings as RecordSettings
from lockgate.config.document import ServerSettings as ServerSettings
from lockgate.config.document import SimulatorSettings as SimulatorSettings
from lockgate.config.document import TimeoutSettings as TimeoutSettings
from lockgate.config.document import UsageLimits as UsageLimits
from lockgate.config.document import UsageLimitSettings as UsageLimitSettings
from lockgate.config.read import read_document as read_document
