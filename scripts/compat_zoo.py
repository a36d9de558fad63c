"""The models of the compatibility table: built from configuration alone, as small as they come.

`catalogue()` lists what there is; `build(name)` makes (model, example) where the example is a tensor
or a dict of keyword arguments. Runs in .venv-compat.
"""

import inspect
import re
import warnings
from collections import defaultdict

import torch

import compat_recipes
import compat_transformers

MAX_PARAMETERS = 40_000_000  # of torchvision's second and third models of a family
TIMM_PARAMETERS = 150_000_000
SMALLEST = ("test_", "atto", "femto", "pico", "nano", "_ti_", "tiny", "xxs", "micro", "mini", "_xs",
            "small", "_s_", "lite", "b0", "18", "050", "_m0", "_0_5", "base")


def catalogue():
    """[(name, source, family)], each name `source/…`."""
    return [*compat_transformers.models(), *timm_models(), *torchvision_models()]


def build(name):
    source, _, rest = name.partition("/")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = compat_recipes.RECIPES.get(name)
        model, example = own() if own else BUILDERS[source](rest)
    # Through a matrix of zeros, with which some readouts begin, no gradient comes to what is below.
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() >= 2 and not p.any():
                p.normal_(std=0.02)
    return model, example


# --- torchvision ---

def torchvision_models():
    """Of each of torchvision's families the three smallest architectures."""
    import torchvision

    families = defaultdict(list)
    for name in torchvision.models.list_models():
        builder = torchvision.models.get_model_builder(name)
        family = builder.__module__.rpartition(".")[2]
        if ".quantization." in builder.__module__:
            continue
        known = [w.meta["num_params"] for w in torchvision.models.get_model_weights(name)]
        families[family].append((min(known, default=0), name))
    return [(f"torchvision/{name}", "torchvision", family)
            for family, found in sorted(families.items())
            for i, (size, name) in enumerate(sorted(found)[:3]) if i == 0 or size < MAX_PARAMETERS]


def no_weights(name, builder):
    arguments = {"weights": None}
    if "weights_backbone" in inspect.signature(builder).parameters:
        arguments["weights_backbone"] = None
    if name in ("inception_v3", "googlenet"):
        arguments["init_weights"] = False
    return arguments


def nms(boxes, scores, iou_threshold):
    """Boxes that overlap no better one by more than the threshold; as torchvision's own."""
    from torchvision.ops import box_iou

    kept, order = [], scores.argsort(descending=True, stable=True)
    while order.numel():
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[box_iou(boxes[best][None], boxes[order])[0] <= iou_threshold]
    return torch.stack(kept) if kept else order


def use_python_operators():
    """Detectors need two operators; torchvision has one of them in Python, too."""
    import importlib

    from torchvision.ops import boxes, poolers

    if torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::nms", "CPU"):
        return
    # The package has functions of the modules' names.
    align = importlib.import_module("torchvision.ops.roi_align")
    written = align._roi_align.__wrapped__  # without the compiler, which takes longer than the check

    def roi_align(input, rois, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
        if not isinstance(rois, torch.Tensor):
            rois = align.convert_boxes_to_roi_format(rois)
        return written(input, rois, spatial_scale, *output_size, sampling_ratio, aligned)

    boxes.nms, poolers.roi_align = nms, roi_align
    importlib.import_module("torchvision.models.detection.roi_heads").roi_align = roi_align


def find_something(model):
    """A detector that has learned nothing is sure of nothing, and finds nothing in evaluation: it keeps
    its few best guesses here, however unsure."""
    for part in filter(None, (model, getattr(model, "roi_heads", None))):
        if hasattr(part, "score_thresh"):
            part.score_thresh = 0.0
        if hasattr(part, "topk_candidates"):
            part.topk_candidates = 20
    if hasattr(model, "rpn"):
        model.rpn._post_nms_top_n["testing"] = 4


def build_torchvision(name):
    import torchvision

    if ".detection" in torchvision.models.get_model_builder(name).__module__:
        use_python_operators()
    builder = torchvision.models.get_model_builder(name)
    model = builder(**no_weights(name, builder))
    module = builder.__module__
    if ".video." in module:
        size = 224 if "mvit" in name or "swin" in name else 64
        return model, torch.randn(2, 3, 16 if "mvit" in name else 8, size, size)
    if ".optical_flow" in module:
        return model, {"image1": torch.randn(2, 3, 128, 128), "image2": torch.randn(2, 3, 128, 128),
                       "num_flow_updates": 2}
    if ".detection" in module:
        model.transform.min_size = (96,)
        model.transform.max_size = 128
        find_something(model)
        images = [torch.rand(3, 96, 96) for _ in range(2)]
        targets = [{"boxes": torch.tensor([[5.0, 5.0, 60.0, 60.0]]), "labels": torch.tensor([1]),
                    "masks": torch.ones(1, 96, 96, dtype=torch.uint8),
                    "keypoints": torch.full((1, 17, 3), 20.0)} for _ in range(2)]
        return model, {"images": images, "targets": targets}
    size = {"inception_v3": 128, "alexnet": 96, "vgg": 64}.get(
        name if name in ("inception_v3", "alexnet") else re.match(r"[a-z]+", name)[0], 64)
    if name.startswith(("vit_", "maxvit")):
        size = 224
    if ".segmentation" in module:
        size = 96
    return model, torch.randn(2, 3, size, size)


# --- timm ---

def timm_models():
    """Of each of timm's modules the two smallest architectures, going by their names."""
    import timm

    def rank(name):
        return next((i for i, word in enumerate(SMALLEST) if word in f"{name}_"), 99), len(name)

    listed = []
    for module in timm.list_modules():
        names = sorted(timm.list_models(module=module), key=rank)
        picked = []
        for name in names:
            if any(word in name for word in ("gigantic", "giant", "huge", "xlarge", "xxlarge",
                                             "enormous")):
                continue
            picked.append(name)
            if len(picked) == 2:
                break
        listed += [(f"timm/{n}", "timm", module) for n in picked]
    return listed


SHALLOW = {"depth": 2, "embed_dim": 96, "num_heads": 3}
SMALLER = ({"img_size": 64, **SHALLOW}, {"img_size": 64, "depth": 2}, {"img_size": 64},
           {"img_size": 128, **SHALLOW}, {"img_size": 128}, {})  # the first that fits is taken


def build_timm(name):
    import timm

    for options in SMALLER:
        try:
            with torch.device("meta"):
                model = timm.create_model(name, pretrained=False, num_classes=10, **options)
            size = options.get("img_size") or default_size(model)
            model(torch.empty(2, 3, size, size, device="meta"))
        except Exception:
            if not options:
                size = None
            continue
        break
    if sum(p.numel() for p in model.parameters()) > TIMM_PARAMETERS:
        raise MemoryError("too large even when reduced")
    model = timm.create_model(name, pretrained=False, num_classes=10, **options)
    size = size or default_size(model, full=True)
    channels = model.pretrained_cfg.get("input_size", (3,))[0]
    return model, torch.randn(2, channels, size, size)


def default_size(model, full=False):
    config = model.pretrained_cfg
    size = config.get("input_size", (3, 224, 224))[-1]
    if full or config.get("fixed_input_size"):
        return size
    return min(size, config.get("min_input_size", (3, 96, 96))[-1] if "min_input_size" in config
               else 96)


BUILDERS = {"torchvision": build_torchvision, "timm": build_timm,
            "transformers": compat_transformers.build}
