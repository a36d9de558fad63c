#include <nlohmann/json.hpp>

#include "bindings.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/foreign_host.h"
#include "esper/core/whole_model.h"
#include "esper/exchange/exporters/lineage.h"
#include "esper/exchange/exporters/pytorch_code.h"
#include "esper/program/edits/journal.h"
#include "esper/program/text/text_format.h"

namespace esper::python {
namespace {

graph::AnchorKind kind_named(const std::string& name) {
    if (auto kind = graph::anchor_kind_from_name(name)) return *kind;
    throw py::value_error("no kind of anchor is called '" + name +
                          "'; there are image, vector and tokens");
}

py::list journal_entries(const std::vector<graph::JournalEntry>& entries) {
    py::list list;
    const auto loads = py::module_::import("json").attr("loads");
    for (const auto& e : entries) {
        py::dict item;
        item["index"] = e.index;
        item["step"] = e.step;
        item["reason"] = e.reason;
        item["hash"] = e.hash;
        item["program_sha256"] = e.program_sha256;
        item["edit"] = e.edit ? loads(graph::to_json(*e.edit).dump()) : py::none();
        list.append(std::move(item));
    }
    return list;
}

}  // namespace

void bind_program(py::module_& m) {
    py::class_<ProgramHandle>(m, "Program", "An immutable network: see docs/program.md.")
        .def_property_readonly("name", [](const ProgramHandle& p) { return p.program->name(); })
        .def_property_readonly("hash",
                               [](const ProgramHandle& p) { return p.program->hash().hex(); })
        .def_property_readonly("parameter_count",
                               [](const ProgramHandle& p) { return p.program->parameter_count(); })
        .def("to_text", [](const ProgramHandle& p) { return graph::to_text(*p.program); })
        .def("__repr__",
             [](const ProgramHandle& p) {
                 return "<esper.Program " + p.program->name() + " " +
                        p.program->hash().hex().substr(0, 12) + ">";
             })
        .def("seeds",
             [](const ProgramHandle& p) {
                 py::list list;
                 for (const auto& s : graph::seeds_in(*p.program))
                     list.append(py::make_tuple(s.seed, s.anchor,
                                                std::string(graph::seed_mode_name(s.mode))));
                 return list;
             })
        .def("seeds_at",
             [](const ProgramHandle& p, const std::string& anchor) -> std::optional<ProgramHandle> {
                 auto part = unwrap(core::seeds_at(*p.program, anchor));
                 if (!part) return std::nullopt;
                 return ProgramHandle{part};
             })
        .def(
            "without_isolated",
            [](const ProgramHandle& p, const std::string& also) {
                return ProgramHandle{unwrap(core::without_isolated(p.program, also))};
            },
            py::arg("also") = "")
        .def("with_seeds_of",
             [](const ProgramHandle& p, const ProgramHandle& host) {
                 return ProgramHandle{unwrap(core::with_seeds_of(*host.program, p.program))};
             })
        .def("with_anchor_outputs",
             [](const ProgramHandle& p, const std::vector<std::string>& anchors) {
                 return ProgramHandle{unwrap(core::with_anchor_outputs(*p.program, anchors))};
             })
        .def("anchors",
             [](const ProgramHandle& p) {
                 py::list list;
                 for (const auto& a : p.program->anchors())
                     list.append(py::make_tuple(
                         a.name, std::string(graph::anchor_kind_name(a.kind)), a.features));
                 return list;
             })
        .def("tensors",
             [](const ProgramHandle& p) {
                 py::list list;
                 for (const auto& item : p.program->parameters())
                     list.append(py::make_tuple(item.name, item.trainable));
                 for (const auto& item : p.program->buffers())
                     list.append(py::make_tuple(item.name, py::none()));
                 return list;
             })
        .def("seed_classes", [](const ProgramHandle& p) {
            auto code = unwrap(graph::pytorch_seeds(*p.program));
            return std::pair(code.text, code.classes);
        });
    m.def("program_from_text",
          [](const std::string& text) { return ProgramHandle{unwrap(graph::from_text(text))}; });
    m.def(
        "blueprint_names",
        [](const std::string& kind, bool with_shams) {
            return blueprints::blueprint_names(kind_named(kind), with_shams);
        },
        py::arg("kind"), py::arg("with_shams") = false);
    m.def("foreign_host",
          [](const std::string& name,
             const std::vector<std::tuple<std::string, std::string, std::vector<std::int64_t>>>&
                 anchors) {
              std::vector<core::ForeignAnchor> list;
              for (const auto& [anchor, kind, shape] : anchors)
                  list.push_back({anchor, kind_named(kind), shape});
              return ProgramHandle{unwrap(core::foreign_host(name, list))};
          });
    m.def("read_journal", [](const std::string& path) {
        return journal_entries(unwrap(graph::read_journal(path)));
    });
    m.def("replay_journal", [](const std::string& path) {
        return ProgramHandle{unwrap(graph::replay(unwrap(graph::read_journal(path))))};
    });
    m.def("lineage", [](const ProgramHandle& p, const std::string& journal) {
        std::vector<graph::JournalEntry> entries;
        if (!journal.empty()) entries = unwrap(graph::read_journal(journal));
        // A growth that was loaded into a new run has edits which that run's journal knows nothing
        // of: better none than another network's.
        if (!entries.empty() && entries.back().program_sha256 != p.program->hash().hex())
            entries.clear();
        return unwrap(graph::lineage_json(*p.program, entries));
    });
}

}  // namespace esper::python
