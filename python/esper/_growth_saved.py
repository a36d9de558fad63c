"""What of a growth is saved, and how it goes on from there."""

from __future__ import annotations

from esper._outside_inference import outside_inference


class Saved:
    """The part of `Growth` that saves and loads."""

    def state_dict(self):
        """Everything but the host's own tensors: states, controller, seeds' tensors."""
        if self._native is None:
            return {"early_steps": self._early_steps, "wider": self._widening.save()}
        return {
            "wider": self._widening.save(),
            "epochs": self.epochs,
            "native": self._native.save(),
            "steps_per_epoch": self.steps_per_epoch,
            "losses": [self.train_losses, self.validation_losses],
            "epoch": [self._losses.sum, self._losses.steps],
            "apart": self._apart.save() if self._apart else {},
            "groups": self._groups.save() if self._groups else None,
            "seeds": {seed: {k: v.detach().clone() for k, v in scope.state_dict().items()}
                      for seed, scope in self._live.seeds.items()},
        }

    @outside_inference
    def load_state_dict(self, state):
        """Goes on where `state_dict` was taken, on a freshly wrapped model. Load growth first (it
        puts the grown parts in place), then the model, then the optimizer. Raises ValueError for
        what `state_dict` did not make."""
        if "native" not in state and "early_steps" not in state:
            raise ValueError("expected what growth.state_dict() returned; this has the keys "
                             f"{sorted(map(str, state))}")
        if "wider" in state:
            self._widening.load(state["wider"])
        if "native" not in state:
            if self._native is None:
                self._early_steps = state["early_steps"]
            else:
                self._start_again(state["early_steps"])
            return
        if self._native is None:
            if self._budget:
                self.epochs = state.get("epochs", self.epochs)
            self._start(state["steps_per_epoch"])
        self._native.restore(state["native"])
        self.train_losses, self.validation_losses = (list(x) for x in state["losses"])
        self._losses.reset(*state["epoch"])
        self._sync()
        for seed, tensors in state["seeds"].items():
            self._live.seeds[seed].load_state_dict(tensors)
        self._apart_saved, self._groups_saved = state["apart"], state.get("groups")
        if self._groups is not None:
            self._restore_groups()

    def _start_again(self, steps):
        """As before the first boundary: every seed sleeps, and so many steps have been made."""
        fresh = self._new_core("")
        self._native.restore(fresh.save())
        self.train_losses, self.validation_losses = [], []
        self._losses.reset()
        self._losses.take_slept()
        self._grafting = False
        self._checked = 0
        self._sync()
        self._untold = steps

    def _restore_groups(self):
        if self._groups_saved:
            self._groups.restore(self._groups_saved)
        self._apart.restore(self._apart_saved)
        self._apart_saved, self._groups_saved = {}, None
