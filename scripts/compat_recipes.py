"""All recipes, by the model's name in the zoo."""

import compat_recipes_images  # noqa: F401
import compat_recipes_sound  # noqa: F401
import compat_recipes_words  # noqa: F401
from compat_recipe import RECIPES, recipe_hash

__all__ = ["RECIPES", "recipe_hash"]
