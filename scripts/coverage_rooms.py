"""What `make coverage` measures: each room's sources, and the tests that may run them."""

# room -> (folders under src/esper, test binaries)
FREE = {
    "base": (["base"], ["base"]),
    "contracts": (["contracts"], ["contracts"]),
    "utils": (["utils"], ["utils"]),
    "configs": (["configs"], ["configs"]),
    "states": (["execution/states"], ["execution"]),
    "kernels": (["execution/kernels"], ["execution"]),
    "vector": (["engine/kernels"], ["vector"]),
    "tamiyo": (["services/tamiyo"], ["tamiyo"]),
    "records": (["services/records"], ["records"]),
    "serving": (["services/serving"], ["serving"]),
    "nissa": (["services/nissa"], ["nissa", "serving"]),
    "urza": (["services/urza"], ["urza"]),
    "data": (["services/tolaria/data"], ["data"]),
}
# Their sources or their tests need libtorch.
TORCH = {
    "program": (["program"], ["program", "engine", "exchange", "blueprints"]),
    "engine": (["engine/operators", "engine/shapes", "engine/joint", "engine/rewrites",
                "engine"],
               ["engine", "program", "core", "tezzeret"]),
    "exchange": (["exchange"], ["exchange", "core"]),
    "blueprints": (["blueprints"], ["blueprints", "core"]),
    "kasmina": (["execution/kasmina"], ["kasmina", "tolaria"]),
    "core": (["core"], ["core", "tolaria"]),
    "api": (["api"], ["api"]),
    "tolaria": (["services/tolaria/learn", "services/tolaria/host", "services/tolaria/grow",
                 "services/tolaria/run", "services/tolaria/adapt"], ["tolaria"]),
    "urabrask": (["services/urabrask"], ["urabrask", "tezzeret"]),
    "tezzeret": (["services/tezzeret"], ["tezzeret"]),
    "supply": (["services/supply"], ["supply"]),
    # The program itself, driven by its Python tests.
    "cli": (["cli"], []),
}
CPP = {**FREE, **TORCH}
# The Python package, by the tests of the package.
PYTHON = "python"
ALL = (*CPP, PYTHON)


def room_of(path):
    """The room that a source (src/esper/…, as parts behind that) belongs to, or None."""
    name = "/".join(path)
    matches = [(len(folder), room) for room, (folders, _) in CPP.items() for folder in folders
               if name.startswith(folder + "/")]
    return max(matches)[1] if matches else None
