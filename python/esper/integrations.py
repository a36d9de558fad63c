"""Growth inside other people's training loops. Each callback needs its library only when used."""

from esper._hugging_face import transformers_callback
from esper._lightning import lightning_callback

__all__ = ["lightning_callback", "transformers_callback"]
