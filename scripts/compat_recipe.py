"""What recipes for models are written with, and what one recipe's results depend on.

A recipe makes (model, example), as `compat_zoo.build` does, for a model that the ways of
compat_transformers.py do not build. Each has a hash of its own, so that another recipe leaves the
results of all other models as they are.
"""

import functools
import hashlib
import inspect

import torch

from compat_transformers import SMALL, examples, fitted, shrink

RECIPES = {}  # name in the zoo -> what makes the model
SOURCES = {}  # name in the zoo -> the recipe as it is written


def recipe(*names):
    """Marks a function as the recipe of these models; where they are several, it is given the kind.
    The model then runs once, as a model that needs no recipe has: libraries add hooks at that time.
    """

    def keep(function):
        def build(*kind):
            model, example = function(*kind)
            torch.manual_seed(0)
            with torch.no_grad():
                model.train()(**example)
            return model, example

        for name in names:
            kind = (name.partition("/")[2],) if len(names) > 1 else ()
            RECIPES[name] = functools.partial(build, *kind)
            SOURCES[name] = function
        return function

    return keep


@functools.cache  # of the files as they were when this process began
def recipe_hash(name):
    """Over the recipe's text and that of everything of these files that it names, and over how a
    recipe is run; "" where there is none."""
    if name not in SOURCES:
        return ""
    texts, waiting, seen = [], [SOURCES[name], recipe], set()
    while waiting:
        item = waiting.pop()
        if not inspect.isfunction(item):
            texts.append(repr(item))
            continue
        texts.append(inspect.getsource(item))
        for called in names_in(item.__code__):
            if called in item.__globals__ and called not in seen and ours(item.__globals__[called]):
                seen.add(called)
                waiting.append(item.__globals__[called])
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


def names_in(code):
    """Of globals that a function and those inside it use."""
    inner = [c for c in code.co_consts if inspect.iscode(c)]
    return sorted({*code.co_names, *(n for c in inner for n in names_in(c))})


def ours(item):
    if inspect.isfunction(item):
        return item.__module__.startswith("compat_recipe")
    return (isinstance(item, (int, float, str, tuple, dict))
            and item is not RECIPES and item is not SOURCES)


# --- what recipes use ---

def model_of(config):
    """The base model of a configuration."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    classes = MODEL_MAPPING[type(config)]
    config._attn_implementation = "eager"
    if hasattr(config, "use_cache"):
        config.use_cache = False
    torch.manual_seed(0)
    return (classes[0] if isinstance(classes, tuple) else classes)(config)


def anew(kind, **keys):
    """A configuration from these keys alone; those of a part in a dict."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return CONFIG_MAPPING[kind](**keys)


def shrunk(kind, **keys):
    """The default configuration shrunk as all are, then with these keys set: `vision_config__depth`
    is the part's."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config = fitted(shrink(CONFIG_MAPPING[kind](), SMALL), None)
    for key, value in keys.items():
        *parts, last = key.split("__")
        part = config
        for name in parts:
            part = getattr(part, name)
        setattr(part, last, value)
    return config


def with_any_input(config):
    """(model, the first of the usual inputs that the model takes)"""
    model = model_of(config)
    errors = []
    for example in examples(model, config):
        try:
            torch.manual_seed(0)
            with torch.no_grad():
                model.train()(**example)
            return model, example
        except Exception as error:
            errors.append(error)
    raise errors[0]


def tokens(length=12, image=None, images=0):
    """Two lines of words; in each the id `image` stands `images` times, from the second place on."""
    ids = torch.randint(3, 100, (2, length + images))
    ids[:, 1:1 + images] = image if images else ids[:, 1:1]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
