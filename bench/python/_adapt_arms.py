"""The arms of growth_adapt: what adapts a host, what it trains and what a step of it costs."""

import copy
import json
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

from _adapt_hosts import (BATCH, WIDTH, adam, loss_of, rate_at, step_at, token_losses, windows)

SHARE = 0.24  # of the host's parameters, for every arm but full fine-tuning
LORA_RANK, HOULSBY_UNITS = 12, 49  # so that both train within 2 % of what ours does
WARM_UP = 30  # steps
REPORTED, OLD, PROBE = 500, 200, 200  # windows of 64 characters
RATES = {"full": (1.5e-3, 4e-3, 8e-3), "LoRA": (3.5e-3, 7e-3, 1.5e-2, 3e-2),
         "ours": (3.5e-3, 7e-3, 1.5e-2, 3e-2), "Houlsby": (7e-3, 1.5e-2, 3e-2),
         "top block": (7e-3, 1.5e-2, 3e-2)}


class Bottleneck(nn.Module):
    """x + V·relu²(U·norm(x)), V zero: the same branch as ours, for Houlsby's places."""

    def __init__(self, units):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH)
        self.up = nn.Linear(WIDTH, units, bias=False)
        self.down = nn.Linear(units, WIDTH, bias=False)
        nn.init.normal_(self.up.weight, std=WIDTH ** -0.5)
        nn.init.zeros_(self.down.weight)

    def forward(self, x):
        return x + self.down(F.relu(self.up(self.norm(x))).square())


def full(model):
    model.requires_grad_(True)


def lora(model):
    """PEFT's own, on every linear layer."""
    from peft import LoraConfig, inject_adapter_in_model
    names = ["qkv", "out", "up", "down", "head"]
    inject_adapter_in_model(LoraConfig(r=LORA_RANK, lora_alpha=LORA_RANK, target_modules=names), model)


def houlsby(model):
    """A bottleneck after each half of each block. (Houlsby et al., ICML 2019)"""
    for block in model.gpt.blocks:
        block.after_attention, block.after_mlp = Bottleneck(HOULSBY_UNITS), Bottleneck(HOULSBY_UNITS)


def top_block(model):
    """One more block on top, a copy of the last one with both output projections zero. (LLaMA Pro)"""
    block = copy.deepcopy(model.gpt.blocks[-1]).requires_grad_(True)
    nn.init.zeros_(block.out.weight)
    nn.init.zeros_(block.down.weight)
    model.gpt.blocks.append(block)


ARMS = {"full": full, "LoRA": lora, "Houlsby": houlsby, "top block": top_block}


def examples(text, part, count):
    """Windows as batches of BATCH."""
    x, y = windows(part, count)
    return list(zip(x.split(BATCH), y.split(BATCH)))


def run_peer(host, arm, rate, text, seed, budget):
    """Trains a copy of the host; returns (model, what it cost)."""
    from esper._adapt_data import Account
    model = copy.deepcopy(host).requires_grad_(False)
    torch.manual_seed(1000 * seed + 5)
    ARMS[arm](model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer, account = adam(trained, rate), Account()
    draws = torch.Generator().manual_seed(7 + seed)
    first = text.batch(draws)
    account.run("train step", BATCH, lambda: loss_of(model(first[0]), first[1]).backward())
    cost = account.cost("train step", BATCH)
    optimizer.zero_grad(set_to_none=True)
    draws.manual_seed(7 + seed)
    steps = int(budget / cost)
    for k in range(steps):
        step_at(model, optimizer, rate * rate_at(k / steps, k, WARM_UP), *text.batch(draws))
    return model, {"steps": steps, "flops": steps * cost, "parameters": sum(p.numel() for p in trained)}


def run_ours(host, rate, text, seed, budget, **options):
    """The same by `esper.adapt`; returns (model, what it cost, the adaptation)."""
    import esper
    model = copy.deepcopy(host)
    draws = torch.Generator().manual_seed(7 + seed)
    grown = esper.adapt(model, text.batch(draws)[0][:2], optimizer=lambda p: adam(p, rate),
                        budget=budget, parameters=SHARE, seed=seed, quiet=True, **options)
    draws.manual_seed(7 + seed)
    grown.fit(text.batches(draws), loss_of, probe=examples(text, text.probe, PROBE))
    return model, {"steps": grown.steps, "flops": grown.account.total,
                   "measuring": grown.account.measuring,
                   "parameters": grown.adapter.parameter_count, "kept": grown.kept,
                   "places": [p.anchor.name for p in grown.adapter.parts],
                   "gains": [[g["anchor"].name, round(g["gain"], 4)] for g in grown.gains],
                   "stopped_at": grown.looks[-1][0] if grown.looks else None}, grown


def run(host, old, text, arm, rate, seed, budget, **options):
    """One finished run as a dictionary: losses on what is held out, cost, CPU seconds of training."""
    began, cpu = time.monotonic(), time.process_time()
    grown = None
    if arm == "ours":
        model, cost, grown = run_ours(host, rate, text, seed, budget, **options)
        grown.enabled = True
    else:
        model, cost = run_peer(host, arm, rate, text, seed, budget)
    seconds = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.monotonic() - began}
    model.eval()
    probe = token_losses(model, windows(text.probe, PROBE)).mean().item()
    new = token_losses(model, windows(text.held_out, REPORTED))
    old_part = windows(old.held_out, OLD)
    result = {"arm": arm, "rate": rate, "seed": seed, "budget": budget, **cost, **seconds,
              "probe": probe, "new": new.mean().item(),
              "old": token_losses(model, old_part).mean().item()}
    if grown is not None:
        with grown.off():
            off = token_losses(model, old_part)
        result["old_off"] = off.mean().item()
        result["bit_equal"] = bool(torch.equal(off, token_losses(host, old_part)))
    if not math.isfinite(result["new"]):
        raise SystemExit(f"growth_adapt: {json.dumps(result)} diverged")
    return result
