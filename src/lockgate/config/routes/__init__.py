"""The config object of a request: which target serves it, and what when that fails.

It comes inline in ``x-portkey-config`` or is saved under an id. Read here, with the path of each fault; what it means
is compiled in ``lockgate.routing``.
"""

from lockgate.config.routes.header import ConfigReference as ConfigReference
from lockgate.config.routes.header import read_reference as read_reference
from lockgate.config.routes.nodes import BreakerSettings as BreakerSettings
from lockgate.config.routes.nodes import CacheSettings as CacheSettings
from lockgate.config.routes.nodes import Node as Node
from lockgate.config.routes.nodes import RetrySettings as RetrySettings
from lockgate.config.routes.nodes import StickySettings as StickySettings
from lockgate.config.routes.nodes import Strategy as Strategy
from lockgate.config.routes.read import Config as Config
from lockgate.config.routes.read import read_config as read_config
from lockgate.config.routes.rules import ConfigRules as ConfigRules
from lockgate.config.routes.schema import config_schema as config_schema
from lockgate.config.routes.secrets import find_masks as find_masks
from lockgate.config.routes.secrets import mask_secrets as mask_secrets
