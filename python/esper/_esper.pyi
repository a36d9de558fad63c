"""Esper's C++ library as the package sees it; users import `esper`."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

__version__: str
torch_version: str

class EsperError(RuntimeError):
    """A failure inside Esper: `room` and `name` say which, `exit_code` what kind."""

    room: str
    name: str
    exit_code: int

class Config:
    """A checked configuration; see docs/configuration.md."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def newborn(self) -> tuple[float, int]:
        """Learning rate of a new block against the host's, and for how many steps."""
    @property
    def isolation(self) -> str:
        """What a seed learns from before it touches the host."""
    @property
    def readout(self) -> str:
        """First values of a seed's last layer."""
    def with_readout(self, name: str) -> Config:
        """The same with other first values."""
    @property
    def policy(self) -> str: ...
    @property
    def grows(self) -> bool:
        """growth.enabled."""
    @property
    def measure_share(self) -> float:
        """What measuring may cost, as a share of the run."""
    @property
    def window(self) -> tuple[float, float]:
        """growth.start and growth.stop, as shares of the run."""
    @property
    def gate(self) -> tuple[float, int, float, float]:
        """delta, min_examples, rent and rent_parameters of growth.gate."""
    @property
    def freeze_fossilized(self) -> bool: ...
    def to_yaml(self) -> str: ...
    def __eq__(self, other: object) -> bool: ...

class Program:
    """An immutable network: see docs/program.md."""

    @property
    def name(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def parameter_count(self) -> int: ...
    def to_text(self) -> str: ...
    def seeds(self) -> list[tuple[str, str, str]]:
        """(seed, anchor, "isolated", "blended" or "folded")."""
    def seeds_at(self, anchor: str) -> Program | None:
        """What the seeds at one anchor do there, y to the value that takes its place."""
    def without_isolated(self, also: str = "") -> Program:
        """Without the seeds that learn in isolation, but for `also`, which is blended in."""
    def with_seeds_of(self, host: Program) -> Program:
        """The whole model with what sits at the anchors of `host`, which stands for it."""
    def with_anchor_outputs(self, anchors: Sequence[str]) -> Program:
        """Hands out what flows at these anchors, too, as `anchor.<name>`."""
    def anchors(self) -> list[tuple[str, str, int]]:
        """(name, kind, features)."""
    def tensors(self) -> list[tuple[str, bool | None]]:
        """Names of parameters with whether they are trained, and of buffers with None."""
    def seed_classes(self) -> tuple[str, dict[str, str]]:
        """Plain PyTorch code with a class for each seed, and the classes' names by seed."""

class Chain:
    """The seeds at one anchor, run by the interpreter with autograd."""

    def __init__(self, program: Program) -> None: ...
    @property
    def names(self) -> list[str]: ...
    def run(self, y: Tensor, tensors: Sequence[Tensor], training: bool) -> Tensor:
        """y [N, …] of any floating type; the result has its shape and type."""

def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether every element of every tensor is a finite number."""

class LossMeter:
    """The sum of the losses of an epoch's steps."""

    def __init__(self) -> None: ...
    @property
    def add(self) -> Callable[[float | Tensor], None]:
        """A function that adds a step's loss, a number or a tensor of one element; on another device
        than the CPU it is not waited for."""
    @property
    def step(self) -> Callable[..., None]:
        """`Growth.step` while every seed sleeps."""
    def take_slept(self) -> int:
        """Steps of that kind since this was last asked."""
    def reset(self, sum: float = 0.0, steps: int = 0) -> None: ...
    @property
    def sum(self) -> float: ...
    @property
    def last(self) -> float: ...
    @property
    def steps(self) -> int: ...

class HostedGrowth:
    """Kasmina, Tamiyo and the journal for a host that runs in PyTorch."""

    def __init__(self, config: Config, host: Program, host_flops: float, host_parameters: float,
                 steps_per_epoch: int, total_steps: int, folder: str, measure: Any) -> None: ...
    @property
    def program(self) -> Program: ...
    @property
    def steps(self) -> int: ...
    @property
    def forward_flops(self) -> float: ...
    @property
    def waiting_for(self) -> str: ...
    def step(self, loss: float) -> None: ...
    def boundary(self, train_losses: Sequence[float],
                 validation_losses: Sequence[float]) -> None: ...
    def fault(self, seed: str, reason: str) -> None: ...
    def slots(self) -> list[dict[str, Any]]: ...
    def tensor(self, name: str) -> Tensor: ...
    def germinate(self, slot: int, blueprint: str) -> str: ...
    def graft(self, slot: int, strategy: str, steps: int) -> None: ...
    def advance(self, slot: int, state: str) -> None: ...
    def fossilize(self, slot: int) -> None: ...
    def cull(self, slot: int) -> None: ...
    def set_alpha(self, slot: int, alpha: float) -> None: ...
    def save(self) -> str: ...
    def restore(self, state: str) -> None: ...
    def metrics(self, row: Sequence[tuple[str, float]]) -> None: ...
    def write_run(self, json: str) -> None: ...
    def take_events(self) -> list[dict[str, Any]]: ...
    def counts(self) -> dict[str, int]: ...

def load_config(path: str = "", overrides: Sequence[str] = ..., profile: str = "",
                environment: bool = True) -> Config: ...
def glob_match(pattern: str, text: str) -> bool: ...
def human_count(value: float) -> str: ...
def program_from_text(text: str) -> Program: ...
def blueprint_names(kind: str, with_shams: bool = False) -> list[str]: ...
def foreign_host(name: str, anchors: Sequence[tuple[str, str, Sequence[int]]]) -> Program: ...
def read_journal(path: str) -> list[dict[str, Any]]: ...
def replay_journal(path: str) -> Program: ...
def lineage(program: Program, journal: str) -> str: ...
def write_report(folder: str, file: str) -> None: ...

class Runner:
    """A Program run by the interpreter with autograd."""

    def __init__(self, program: Program) -> None: ...
    def run(self, parameters: Sequence[Tensor], buffers: Sequence[Tensor],
            controls: Sequence[Tensor], inputs: Sequence[Tensor],
            training: bool) -> list[Tensor]: ...

class Imported:
    """A model read from a .pt2 file."""

    def __init__(self, path: str) -> None: ...
    @property
    def program(self) -> Program: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def aliases(self) -> dict[str, str]: ...
    def tensor(self, name: str) -> Tensor: ...

def declared(program: Program) -> dict[str, list[str]]:
    """Names of inputs, outputs, parameters, buffers, controls and anchors."""

def adapter_names(kind: str) -> list[str]:
    """Blueprints of adapters that fit a kind of anchor."""
def adapters_to_try(kind: str, mixing: bool) -> list[str]:
    """Those whose gains are worth measuring there; mixing: whether a branch may see earlier tokens."""
def adapter_parameters(name: str, kind: str, features: int, width: int) -> int: ...
def with_adapters(host: Program, parts: Sequence[tuple[str, str, str, int]]) -> Program:
    """The host's anchors with parts (name, anchor, blueprint, width) folded in."""
def first_values(program: Program, seed: int) -> dict[str, Tensor]:
    """What a Program's parameters begin with, by name."""
def gate_look(differences: Sequence[float], rent: float, delta: float,
              smallest: int) -> dict[str, Any]:
    """The gate on paired differences in the order of their examples: verdict, mean, bounds, …"""
