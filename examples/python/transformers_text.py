"""A small GPT-2 of transformers that grows on a text, is handed back as plain PyTorch, and runs
without Esper. The model is built from a configuration, nothing is downloaded.

    pip install transformers; python transformers_text.py TEXT OUT [EPOCHS [STEPS]]
    python transformers_text.py --check OUT        in a process that never imports Esper
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

CONTEXT, WORDS = 48, 128


def build():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(
        vocab_size=WORDS, n_positions=CONTEXT, n_embd=48, n_layer=2, n_head=4, resid_pdrop=0,
        embd_pdrop=0, attn_pdrop=0, use_cache=False, bos_token_id=0, eos_token_id=0))


def windows(text, count, generator):
    """Pieces of the text, [count, CONTEXT + 1]."""
    at = torch.randint(0, len(text) - CONTEXT - 1, (count, 1), generator=generator)
    return text[at + torch.arange(CONTEXT + 1)]


def losses(model, rows):
    """The mean loss of each row, [n]."""
    logits = model(input_ids=rows[:, :-1]).logits
    each = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none")
    return each.mean(1)


def main(path, out, epochs=8, steps=150):
    import esper

    text = torch.tensor([min(c, WORDS - 1) for c in Path(path).read_bytes()])
    learn, rest = text[:len(text) * 9 // 10], text[len(text) * 9 // 10:]
    generator = torch.Generator().manual_seed(1)
    held_out = windows(rest[:len(rest) // 2], 2500 if steps >= 100 else 600, generator)
    validation = windows(rest[len(rest) // 2:], 500, generator)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    growth = esper.wrap(
        model, {"input_ids": validation[:2, :-1]}, optimizer, epochs=epochs,
        steps_per_epoch=steps, run=Path(out) / "run",
        probe=lambda: torch.cat([losses(model, part) for part in held_out.split(250)]),
        overrides=["growth.blueprints=[causal_mixer]", "growth.training=1ep",
                   "growth.stabilization=20ba",
                   "growth.fine_tune=1ep", "growth.graft_steps=40",
                   "growth.start=0", "growth.cooldown=0ep",
                   "growth.gate.budget=2ep", "growth.gate.lag=0ba",
                   "controller.policy=periodic", "controller.period=1ep"])
    for epoch in range(epochs):
        model.train()
        for _ in range(steps):
            loss = losses(model, windows(learn, 32, generator)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            growth.step(loss)
        model.eval()
        with torch.no_grad():
            loss = losses(model, validation).mean().item()
        print(f"epoch {epoch + 1}: loss {loss:.3f}")
        for d in growth.epoch(loss):
            print(f"  {d['command']} {d['blueprint']} at {d['anchor']}: {d['reason']}")
    print(growth.summary(), growth.waiting_for)
    model = growth.export(out).eval()
    with torch.no_grad():
        rows = validation[:32, :-1]
        torch.save({"x": rows, "y": model(input_ids=rows).logits}, Path(out) / "case.pt")
    return growth


def check(out):
    """Reloads what was handed back; its outputs are those of the network that grew."""
    from safetensors.torch import load_file

    out = Path(out)
    model = build()
    if (out / "grown.py").exists():
        sys.path.insert(0, str(out))
        import grown

        model = grown.grow(model)
    model.load_state_dict(load_file(out / "model.safetensors"))
    case = torch.load(out / "case.pt", weights_only=True)
    with torch.no_grad():
        error = (model.eval()(input_ids=case["x"]).logits - case["y"]).abs().max().item()
    assert "esper" not in sys.modules
    assert error <= 1e-5, f"outputs differ by {error}"
    print(f"the same outputs to {error:.1e}, without Esper")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        main(*sys.argv[1:3], *(int(a) for a in sys.argv[3:]))
