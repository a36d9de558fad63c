#include <torch/csrc/utils/pybind.h>

#include "bindings.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/tensor_store.h"
#include "esper/exchange/importers/pt2.h"

namespace esper::python {
namespace {

/// Runs a Program with given tensors, in training or in evaluation mode.
class Runner {
  public:
    explicit Runner(const ProgramHandle& handle)
        : train_(unwrap(graph::Interpreter::make(handle.program, true))),
          eval_(unwrap(graph::Interpreter::make(handle.program, false))) {}

    /// One tensor per parameter, buffer and control of the Program, in that order, then the inputs;
    /// the outputs in order.
    std::vector<at::Tensor> run(std::vector<at::Tensor> parameters, std::vector<at::Tensor> buffers,
                                std::vector<at::Tensor> controls, std::vector<at::Tensor> inputs,
                                bool training) const {
        const auto& interpreter = training ? train_ : eval_;
        const auto& p = interpreter.program();
        if (parameters.size() != p.parameters().size() || buffers.size() != p.buffers().size() ||
            controls.size() != p.controls().size() || inputs.size() != p.inputs().size())
            throw py::value_error("'" + p.name() + "' takes other numbers of tensors");
        return unwrap(interpreter.run(
            {std::move(parameters), std::move(buffers), std::move(controls), std::move(inputs)}));
    }

  private:
    graph::Interpreter train_;
    graph::Interpreter eval_;
};

/// A model read from a `.pt2` file, with a store that has all tensors of its Program.
struct Imported {
    graph::ImportedModel model;
    graph::TensorStore store{{}};

    explicit Imported(const std::string& path) : model(unwrap(graph::import_pt2(path))) {
        unwrap(store.add(*model.program, "host"));
        unwrap(graph::load_tensors(model, store));
    }
};

template <typename Items>
std::vector<std::string> names_of(const Items& items) {
    std::vector<std::string> names;
    for (const auto& item : items) names.push_back(item.name);
    return names;
}

}  // namespace

void bind_export(py::module_& m) {
    py::class_<Runner>(m, "Runner", "A Program run by the interpreter with autograd.")
        .def(py::init<const ProgramHandle&>())
        .def("run", &Runner::run, py::arg("parameters"), py::arg("buffers"), py::arg("controls"),
             py::arg("inputs"), py::arg("training"));
    py::class_<Imported>(m, "Imported", "A model read from a .pt2 file.")
        .def(py::init<const std::string&>())
        .def_property_readonly("program",
                               [](const Imported& i) { return ProgramHandle{i.model.program}; })
        .def_property_readonly("notes", [](const Imported& i) { return i.model.notes; })
        .def_property_readonly("aliases",
                               [](const Imported& i) {
                                   return std::map<std::string, std::string>(
                                       i.model.aliases.begin(), i.model.aliases.end());
                               })
        .def("tensor",
             [](const Imported& i, const std::string& name) { return unwrap(i.store.find(name)); });
    m.def("declared", [](const ProgramHandle& p) {
        py::dict d;
        d["inputs"] = names_of(p.program->inputs());
        d["outputs"] = names_of(p.program->outputs());
        d["parameters"] = names_of(p.program->parameters());
        d["buffers"] = names_of(p.program->buffers());
        d["controls"] = names_of(p.program->controls());
        d["anchors"] = names_of(p.program->anchors());
        return d;
    });
}

}  // namespace esper::python
