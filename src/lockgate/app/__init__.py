"""The composition root: the only place that picks concrete store, transport and telemetry and puts them together."""

from lockgate.app.gateway import Gateway as Gateway
from lockgate.app.gateway import check_config as check_config
from lockgate.app.gateway import load_dialects as load_dialects
from lockgate.app.options import WORKER_VARIABLE as WORKER_VARIABLE
from lockgate.app.options import Options as Options
from lockgate.app.options import Started as Started
