"""The strategies of a config, one file each. A strategy implements ``lockgate.routing.tree.Strategy``."""
