#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/utils/pybind.h>

#include <cmath>

#include "bindings.h"
#include "esper/graph/edits.h"
#include "esper/graph/interpreter.h"

namespace esper::python {
namespace {

/// The seeds at one anchor as something that can be called: `seeds_at` in the interpreter.
class Chain {
  public:
    explicit Chain(const ProgramHandle& handle)
        : train_(unwrap(graph::Interpreter::make(handle.program, true))),
          eval_(unwrap(graph::Interpreter::make(handle.program, false))) {
        for (const auto& seed : graph::seeds_in(*handle.program))
            passes_ = passes_ && seed.mode == graph::SeedMode::kIsolated;
    }

    std::vector<std::string> names() const {
        std::vector<std::string> names;
        const auto& p = train_.program();
        for (const auto& item : p.parameters()) names.push_back(item.name);
        for (const auto& item : p.buffers()) names.push_back(item.name);
        for (const auto& item : p.controls()) names.push_back(item.name);
        return names;
    }

    /// y [N, …] with `tensors` in the order of names(); the result has y's type and shape.
    at::Tensor run(const at::Tensor& y, const std::vector<at::Tensor>& tensors,
                   bool training) const {
        const auto& interpreter = training ? train_ : eval_;
        const auto& p = interpreter.program();
        graph::Interpreter::Bindings b;
        auto next = tensors.begin();
        const auto take = [&](std::vector<at::Tensor>& into, std::size_t count) {
            into.assign(next, next + static_cast<std::ptrdiff_t>(count));
            next += static_cast<std::ptrdiff_t>(count);
        };
        if (tensors.size() != p.parameters().size() + p.buffers().size() + p.controls().size())
            throw py::value_error("the chain takes " + std::to_string(names().size()) +
                                  " tensors, got " + std::to_string(tensors.size()));
        take(b.parameters, p.parameters().size());
        take(b.buffers, p.buffers().size());
        take(b.controls, p.controls().size());
        const bool single = y.scalar_type() == at::kFloat;
        b.inputs.push_back(single ? y : y.to(at::kFloat));
        auto out = unwrap(interpreter.run(b))[0];
        if (single) {
            // The isolated join hands on y itself; whoever writes into the anchor's value
            // afterwards must not write into what the seed has read.
            return passes_ ? out.clone() : out.to(at::kFloat);
        }
        if (y.element_size() < 4) return out.to(y.scalar_type());
        // In y's wider type the seed's share is added, so that y passes exactly where it is zero.
        return at::add(y, at::sub(out, b.inputs[0]).to(y.scalar_type()));
    }

  private:
    graph::Interpreter train_;
    graph::Interpreter eval_;
    bool passes_ = true;  ///< every seed here is isolated
};

bool all_finite(const std::vector<at::Tensor>& tensors) {
    const at::NoGradGuard no_grad;
    for (const at::Tensor& tensor : tensors) {
        // Finite numbers may add up to infinity: only then each is looked at.
        if (!std::isfinite(at::sum(tensor).item<double>()) &&
            !at::isfinite(tensor).all().item<bool>())
            return false;
    }
    return true;
}

}  // namespace

void bind_chain(py::module_& m) {
    py::class_<Chain>(m, "Chain", "The seeds at one anchor, run by the interpreter.")
        .def(py::init<const ProgramHandle&>())
        .def_property_readonly("names", &Chain::names)
        .def("run", &Chain::run, py::arg("y"), py::arg("tensors"), py::arg("training"));
    m.def("all_finite", &all_finite, py::arg("tensors"),
          "Whether every element of every tensor is a finite number.");
}

}  // namespace esper::python
