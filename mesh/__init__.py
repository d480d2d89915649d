"""The backbone of a data mesh: nouns in `model`, verbs beside them, the world behind `ports`."""

__version__ = "0.1.0"
