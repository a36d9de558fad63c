"""The targets of this project as `make goals` judges them.

A Target is one line of the project's list: a floor that a release may not fall under, and a goal. It
is held by Checks. A Check reads one benchmark's file, build/bench/<bench>.json, takes the cases that
its glob names and compares the worst of them with the two bounds. A check whose file no command
writes yet says what it waits for.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """`field` of a case (ours, ratio, ci_low, ci_high, n, passed) at most or at least `value`."""
    field: str
    side: str  # "<=" or ">="
    value: float

    def holds(self, row):
        taken = row[self.field]
        return taken <= self.value if self.side == "<=" else taken >= self.value

    def worst(self, rows):
        pick = max if self.side == "<=" else min
        return pick(rows, key=lambda row: row[self.field])


@dataclass(frozen=True)
class Check:
    bench: str
    cases: str  # a glob
    floor: Bound | None = None
    goal: Bound | None = None
    command: str = ""   # that writes the file; default: make bench NAME=<bench>
    waits: str = ""     # set where nothing writes it yet: what has to be built first

    @property
    def how(self):
        return self.command or f"make bench NAME={self.bench}"


@dataclass(frozen=True)
class Target:
    what: str
    floor: str
    goal: str
    checks: tuple


def most(value, field="ours"):
    return Bound(field, "<=", value)


def least(value, field="ours"):
    return Bound(field, ">=", value)


def ratio(value):
    return Bound("ratio", ">=", value)


# The interval of a paired ratio does not end below 1: no difference can be told.
NO_LOSS = Bound("ci_high", ">=", 1.0)
# As fast as 1.02 times the peer's time.
WITHIN_2_PERCENT = Bound("ratio", ">=", 1 / 1.02)


def waiting(bench, what, for_what):
    return Check(bench, what, waits=for_what)

TARGETS = (
    Target("contracts are written and read", "< 1 ms", "record 50 ns, blueprint 100 µs", (
        Check("contracts", "blueprint to JSON against*", most(1e6), most(1e6)),
        Check("contracts", "telemetry encode*", most(1e6), most(50)),
        Check("contracts", "blueprint of * parse + validate*", most(1e6), most(100e3)))),
    Target("a log call", "< 0.1 ms", "0.3 µs", (
        Check("logging", "call*", most(100e3), most(300)),)),
    Target("a configuration is loaded", "< 100 ms", "2 ms", (
        Check("configs", "first load*", most(100), most(2)),
        Check("configs", "configs/*.yaml", most(100), most(2)),
        Check("configs", "resolved file*", most(100), most(2)))),
    Target("a seed's state changes", "< 1 µs, no races", "p50 20 ns, p99 100 ns beside a rival", (
        Check("state_layout", "transition p50, alone", most(1000), most(20)),
        Check("state_layout", "transition p99, rival*", most(1000), most(100)),
        Check("tests_tsan", "failed tests", most(0), most(0), "make test PRESET=tsan"),
        Check("state_walk", "operations that agree*", None, least(1e9), "make state-walk"))),
    Target("bandwidth of GPU state and blend", "> 90 %", "98 % of the card's best copy", (
        Check("cuda", "blend *", least(0.90), least(0.98), "make gpu-check"),)),
    Target("kernel cache", "> 95 % hits, < 100 µs", "99.5 % and Belady less a point, p50 50 ns, "
           "p99 250 ns", (
               Check("kernel_cache", "lookup p50", most(100e3), most(50)),
               Check("kernel_cache", "lookup p99", most(100e3), most(250)),
               Check("kernel_cache", "hit rate, recorded*", None, ratio(1.0)))),
    Target("sleeping seeds", "< 5 %", "nothing, over a whole run", (
        Check("dormant", "*", ratio(1 / 1.05), NO_LOSS),
        Check("dormant_python", "*asleep*", ratio(1 / 1.05), NO_LOSS),
        Check("tests_release", "failed tests", most(0), most(0), "make test"))),
    Target("awake seeds", "< 10 ms a forward pass", "blended and folded 1.02 of the static network", (
        Check("active", "*, added time*", most(10e3)),
        Check("active", "* blended*against the static network*", None, WITHIN_2_PERCENT),
        Check("grown", "*", None, WITHIN_2_PERCENT))),
    Target("wrapping a model", "< 1 s at 1 B parameters, < 10 % memory",
           "20 ms for 10,000 anchors, found included; 0.1 % memory", (
               Check("wrap", "10,000 anchors, * found*", most(1000), most(20)),
               Check("wrap", "10,000 anchors, declared*", most(1000), most(20)),
               waiting("wrap_python", "*", "a benchmark of esper.wrap with an example"))),
    Target("architectures", "95 % of common ones", "99 % of all that were tried", (
        Check("compat", "architectures that work, of those built", least(0.95), None,
              "make compat"),
        Check("compat", "architectures that work, of those tried", None, least(0.99),
              "make compat"))),
    Target("speed of the engine", "training overhead < 15 %, system < 20 %",
           "ResNet 1.15, MLP 3, GPT 1.5, never below 1", (
               Check("engine", "*", ratio(1 / 1.15), ratio(1.0)),
               Check("engine", "resnet*", None, ratio(1.15)),
               Check("engine", "mlp*", None, ratio(3)),
               Check("engine", "gpt*", None, ratio(1.5)),
               Check("overhead", "*everything on against everything off", ratio(1 / 1.20),
                     ratio(0.98)))),
    Target("a decision", "< 10 ms", "p99 250 µs at 256 seeds, 0 on the training thread", (
        Check("decision", "*: a boundary of 256 seeds, p99", most(10e3), most(250)),
        waiting("decision", "on the training thread",
                "a controller beside the training thread; it decides on it, at boundaries"))),
    Target("start-up", "< 30 s", "first step after 1 s", (
        Check("startup", "first training step*", most(30), most(1)),)),
    Target("compiling a blueprint", "–", "2 s p95, no pause in training", (
        Check("tezzeret", "all, wall time, p95", goal=most(2.0)),
        Check("pause", "*", goal=ratio(0.98)))),
    Target("compiled kernels", "–", "median 2.5 (AMD), 1.5 (Intel), none below 1", (
        Check("kernels", "selected: *", floor=least(1.0, "ci_low")),
        Check("kernels", "median gain of what is selected, *", goal=least(2.5)))),
    Target("the bus", "–", "100 ns a message, no fact lost", (
        waiting("oona", "*", "the bus"),)),
    Target("runs that complete", "99.9 %", "all of 3,000 with faults, equal to the bit", (
        Check("completion", "killed runs that end as undisturbed ones", least(0.999),
              least(1.0), "make kill-sweep"),
        Check("completion", "killed runs that end as undisturbed ones", None, least(3000, "n"),
              "make kill-sweep ARGS='--kills 18000'"))),
    Target("leaks", "none in 24 h", "LeakSanitizer clean; no slope over 1e8 cache operations, "
           "1e6 lives of seeds", (
               Check("leaks", "leaks*", most(0), most(0), "make leaks"),
               Check("soak", "*: flat", least(1), least(1), "make soak"),
               Check("soak", "cache*: flat", None, least(1e8, "n"), "make soak"),
               Check("soak", "lives: flat", None, least(1e6, "n"), "make soak"),
               Check("soak_training", "*: flat", least(1), least(1), "make soak DURATION=48h"),
               # A shorter soak found nothing so far: short of the goal, no failure.
               Check("soak_training", "hours", None, least(48), "make soak DURATION=48h"))),
    Target("resuming", "–", "exact to the bit", (
        Check("tests_release", "failed tests", most(0), most(0), "make test"),
        Check("completion", "killed runs that end as undisturbed ones", None, least(1.0),
              "make kill-sweep"))),
    Target("growing when no size was chosen", "–",
           "not worse than the best static net, at 0.35 of the grid's cost", (
               Check("growth_frontier", "* against the best static", None, NO_LOSS),
               Check("growth_frontier", "* against the best static", None, least(5, "n")),
               Check("growth_frontier", "*: FLOPs against the sweep", None, ratio(1 / 0.35)))),
    Target("growing towards a given larger net", "–", "0.80 of its FLOPs, 0.85 of its time", (
        Check("growth_frontier", "*: FLOPs to a given larger net's loss", None, ratio(1 / 0.80)),
        Check("growth_frontier", "*: seconds to a given larger net's loss", None,
              ratio(1 / 0.85)))),
    Target("growing against the right static net", "–", "0.90 of its FLOPs", (
        Check("growth_frontier", "*: FLOPs to the best static's loss", None, ratio(1 / 0.90)),)),
    Target("a trained host on new data", "–", "not above LoRA's loss; old loss kept to the bit", (
        Check("growth_adapt", "*: old loss kept", ratio(1), ratio(1)),
        Check("growth_adapt", "*: new loss against LoRA*", None, NO_LOSS),
        Check("growth_adapt", "*: new loss against LoRA*", None, least(5, "n")))),
    Target("what measuring costs and says", "–",
           "2 % of FLOPs; false keeps 5 %, power 80 % at 0.01 nat", (
               Check("sham", "shams kept", None, most(0.05), "make sham"),
               waiting("gate", "*", "a benchmark of power and cost"))),
    Target("the defaults", "–", "never worse than not growing, 1.3 of the best static net's time", (
        Check("growth_controls", "*: loss against *", None, NO_LOSS),
        Check("growth_controls", "*: loss against *", None, least(5, "n")),
        Check("wrap_defaults", "*: loss against never growing", None, NO_LOSS),
        Check("wrap_defaults", "*: loss against never growing", None, least(5, "n")),
        Check("wrap_defaults", "*: seconds against never growing", None, ratio(1 / 1.3)))),
    Target("coverage", "> 95 %", "95 % of the lines, every error value asserted on", (
        Check("coverage", "* lines", least(95), least(95), "make coverage"),
        Check("coverage", "error values without a test", None, most(0), "make coverage"))),
    Target("library and its API", "< 100 ms", "p50 300 µs, p99 2 ms at 2,000 requests a second", (
        Check("urza_api", "*blueprints, p50", None, ratio(1)),
        Check("urza_api", "*blueprints, p99", None, ratio(1)),
        Check("urza_database", "durable write", None, ratio(1)),
        Check("urza_database", "writes that share a sync*", None, ratio(1)),
        Check("urza_database", "read of one blueprint*", None, ratio(1)))),
    Target("the page", "–", "list 50 ms, chart 100 ms, 200 MB", (
        Check("nissa", "*", None, ratio(1)),)),
    Target("building", "–", "esper in 6 minutes on two idle cores, no cache", (
        Check("build", "target esper*", None, most(360)),)),
)
