"""Grows a model by hand, unwraps it, writes it as ONNX and runs that with ONNX's own evaluator."""

import sys
from pathlib import Path

import onnx
import onnx.reference
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

import esper  # noqa: E402
from growing_models import blend, build, fossilize, germinate  # noqa: E402

model, x = build(sys.argv[1])
growth = esper.wrap(model, x, quiet=True)
for slot in (0, 1):
    germinate(growth, slot)
    blend(growth, slot, 1.0)
    fossilize(growth, slot)
plain = growth.unwrap().eval()
path = Path(sys.argv[2]) / "grown.onnx"
torch.onnx.export(plain, (x,), str(path), dynamo=True, verbose=False)
evaluator = onnx.reference.ReferenceEvaluator(onnx.load(str(path)))
name = evaluator.input_names[0]
ours = plain(x).detach()
theirs = torch.from_numpy(evaluator.run(None, {name: x.numpy()})[0])
error = (ours - theirs).abs().max().item()
assert error <= 1e-5, error
print(f"the same to {error:.1e}")
