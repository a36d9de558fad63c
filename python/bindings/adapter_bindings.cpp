#include <torch/csrc/utils/pybind.h>

#include "bindings.h"
#include "esper/blueprints/adapter.h"
#include "esper/core/foreign_host.h"
#include "esper/engine/tensor_store.h"
#include "esper/program/anchor_types.h"
#include "esper/program/edits/edits.h"
#include "esper/services/tamiyo/gate.h"

namespace esper::python {
namespace {

graph::AnchorKind kind_named(const std::string& name) {
    if (auto kind = graph::anchor_kind_from_name(name)) return *kind;
    throw py::value_error("no kind of anchor is called '" + name +
                          "'; there are image, vector and tokens");
}

/// One adapter of a model: its name, the anchor's name, the blueprint and its width.
using Part = std::tuple<std::string, std::string, std::string, std::int64_t>;

/// The model's anchors with the parts folded in, one after the other.
ProgramHandle with_adapters(const ProgramHandle& host, const std::vector<Part>& parts) {
    auto program = host.program;
    for (const auto& [seed, anchor_name, blueprint, width] : parts) {
        const auto* anchor = program->find_anchor(anchor_name);
        if (anchor == nullptr) throw py::value_error("no anchor is called '" + anchor_name + "'");
        const auto types = unwrap(graph::anchor_types(*program));
        const auto at = static_cast<std::size_t>(anchor - program->anchors().data());
        const auto made = unwrap(blueprints::make_adapter(blueprint, *anchor, types[at], width));
        program = unwrap(
            graph::apply(*program, graph::InsertSeed{seed, anchor_name, blueprint, made.program}));
        program =
            unwrap(graph::apply(*program, graph::SetSeedMode{seed, graph::SeedMode::kFolded}));
    }
    return {program};
}

/// First values of everything that the parts of a Program declare, by name.
std::map<std::string, at::Tensor> first_values(const ProgramHandle& p, std::uint64_t seed) {
    graph::TensorStore store({seed, false});
    unwrap(store.add(*p.program, "parts"));
    std::map<std::string, at::Tensor> values;
    for (const auto& item : p.program->parameters())
        values[item.name] = unwrap(store.find(item.name)).clone();
    return values;
}

py::dict look(const std::vector<float>& differences, double rent, double delta,
              std::int64_t smallest) {
    const auto seen = tamiyo::look(differences, {smallest, rent, delta});
    py::dict result;
    result["verdict"] = std::string(contracts::to_text(seen.verdict));
    result["mean"] = seen.mean;
    result["lower"] = seen.lower;
    result["upper"] = seen.upper;
    result["examples"] = seen.t;
    result["needed"] = seen.needed;
    result["not_finite"] = seen.not_finite;
    return result;
}

}  // namespace

void bind_adapter(py::module_& m) {
    m.def("adapter_names",
          [](const std::string& kind) { return blueprints::adapter_names(kind_named(kind)); });
    m.def("adapters_to_try", [](const std::string& kind, bool mixing) {
        return blueprints::adapters_to_try(kind_named(kind), mixing);
    });
    m.def("adapter_parameters", [](const std::string& name, const std::string& kind,
                                   std::int64_t features, std::int64_t width) {
        return blueprints::adapter_parameters(name, kind_named(kind), features, width);
    });
    m.def("with_adapters", &with_adapters, py::arg("host"), py::arg("parts"));
    m.def("first_values", &first_values, py::arg("program"), py::arg("seed"));
    m.def("gate_look", &look, py::arg("differences"), py::arg("rent"), py::arg("delta"),
          py::arg("smallest"));
}

}  // namespace esper::python
