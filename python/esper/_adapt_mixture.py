"""Several adapters of one next-token model at once: a causal Bayes gate, without training or replay."""

from __future__ import annotations

from contextlib import contextmanager

import torch

from esper._adapt_parts import adapters_of, all_off
from esper._anchors import first_tensors, main_tensor, with_main


def rows_of(args, at, n):
    return (args[0][at:at + n], *args[1:]) if args else args


@contextmanager
def _side_by_side(model, adapters, n):
    """Within the block one pass of n examples computes the model alone and with each adapter: at its
    first anchor a part adds n examples to the batch, so that all share what comes before. Outputs
    then hold 1 + len(adapters) times n examples; yields the order in which adapters came."""
    order = []

    def hook_of(adapter, part):
        run = adapter.runner(part)

        def hook(module, args, output):
            y, place = main_tensor(output)
            if adapter in order:
                at = (1 + order.index(adapter)) * n
                mine = run(module, rows_of(args, at, n), y[at:at + n])
                return with_main(output, place, torch.cat([y[:at], mine, y[at + n:]]))
            order.append(adapter)
            return with_main(output, place,
                             torch.cat([y, run(module, rows_of(args, 0, n), y[:n])]))
        return hook

    hooks = [model.get_submodule(part.anchor.name).register_forward_hook(hook_of(adapter, part))
             for adapter in adapters for part in adapter.parts]
    try:
        yield order
    finally:
        for hook in hooks:
            hook.remove()


def _logits(output):
    if isinstance(output, torch.Tensor):
        return output
    if hasattr(output, "logits"):
        return output.logits
    return next(t for t in first_tensors(output) if t.is_floating_point() and t.dim() == 3)


def all_logits(model, adapters, tokens, shared=True, **more):
    """[1 + adapters, N, T, V]: of the model alone and with each adapter."""
    n = tokens.shape[0]
    with all_off(model):
        if shared and all(p.anchor.layout != "time first" for a in adapters for p in a.parts):
            try:
                with _side_by_side(model, adapters, n) as order:
                    together = _logits(model(tokens, **more))
                if together.shape[0] == n * (1 + len(adapters)) and len(order) == len(adapters):
                    apart = together.view(1 + len(adapters), n, *together.shape[1:])
                    return apart[[0, *(1 + order.index(a) for a in adapters)]]
            except RuntimeError:
                pass  # the model ties its batch to something that is computed before
        each = [_logits(model(tokens, **more))]
    for adapter in adapters:
        with all_off(model):
            adapter.enabled = True
            each.append(_logits(model(tokens, **more)))
            adapter.enabled = False
    return torch.stack(each)


@torch.no_grad()
def mix(model, tokens, *, adapters=None, prior=None, shared=True, **more):
    """Log-probabilities of the next token from the model alone and its adapters, mixed by how well
    each foretold the tokens so far; and the weights.

    tokens: [N, T]; `more` goes to the model. adapters: by default all of the model's, on or off.
    prior: log-weights before the first token, [N, 1 + adapters], or [1 + adapters]; by default all
        alike. Give the log of the last weights to go on with a stream.
    shared: whether one pass computes all of them, sharing what comes before the first part; where a
        model does not take that, each gets its own.
    Returns ([N, T, V], [N, T, 1 + adapters]): the weights at t are posterior given tokens 0 … t, and
    p(next | tokens 0 … t) = Σ weight · p_k, which is causal: no token is used before it is known.
    """
    chosen = adapters if adapters is not None else list(adapters_of(model))
    logs = all_logits(model, chosen, tokens, shared, **more).float().log_softmax(-1)
    foretold = logs[:, :, :-1].gather(-1, tokens[None, :, 1:, None].expand(len(logs), -1, -1, 1))
    evidence = foretold.squeeze(-1).cumsum(-1).movedim(0, -1)  # [N, T-1, K]
    start = torch.zeros(tokens.shape[0], 1, len(logs), device=logs.device)
    evidence = torch.cat([start, evidence], 1)
    if prior is not None:
        evidence = evidence + torch.as_tensor(prior, device=logs.device).view(-1, 1, len(logs))
    weights = evidence.log_softmax(-1)
    mixed = torch.logsumexp(logs.movedim(0, -1) + weights.unsqueeze(2), -1)
    return mixed, weights.exp()
