"""The views of a run in the page of `esper watch`, as they stand in addresses."""

VIEWS = ("curves", "growth", "decisions", "costs", "kernels", "text", "record")
