#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/utils/pybind.h>

#include <cmath>
#include <optional>
#include <set>

#include "bindings.h"
#include "esper/engine/interpreter.h"
#include "esper/program/edits/edits.h"

namespace esper::python {
namespace {

/// Runs the seeds at one anchor (core::seeds_at) in the interpreter.
class Chain {
  public:
    explicit Chain(const ProgramHandle& handle)
        : train_(unwrap(graph::Interpreter::make(handle.program, true))),
          eval_(unwrap(graph::Interpreter::make(handle.program, false))) {
        auto folded = handle.program;
        for (const auto& seed : graph::seeds_in(*handle.program)) {
            passes_ = passes_ && seed.mode == graph::SeedMode::kIsolated;
            if (seed.mode != graph::SeedMode::kBlended) continue;
            folded = unwrap(
                graph::apply(*folded, graph::SetSeedMode{seed.seed, graph::SeedMode::kFolded}));
        }
        std::set<std::string> stay;
        for (const auto& control : folded->controls()) stay.insert(control.name);
        for (const auto& control : handle.program->controls())
            is_alpha_.push_back(!stay.contains(control.name));
        if (folded == handle.program) return;
        folded_train_.emplace(unwrap(graph::Interpreter::make(folded, true)));
        folded_eval_.emplace(unwrap(graph::Interpreter::make(folded, false)));
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
        const auto& p = train_.program();
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
        const bool folded = all_ones(b.controls);
        if (folded) drop_alphas(b.controls);
        const auto& interpreter =
            folded ? *(training ? folded_train_ : folded_eval_) : (training ? train_ : eval_);
        const bool single = y.scalar_type() == at::kFloat;
        b.inputs.push_back(single ? y : y.to(at::kFloat));
        auto out = unwrap(interpreter.run(b))[0];
        if (single) {
            // The isolated join returns y itself. A later in-place write into the anchor's value
            // must not change the tensor that the seed has read.
            return passes_ ? out.clone() : out.to(at::kFloat);
        }
        if (y.element_size() < 4) return out.to(y.scalar_type());
        // Adds the seed's share in y's wider type, so that y keeps its bits where the share is
        // zero.
        return at::add(y, at::sub(out, b.inputs[0]).to(y.scalar_type()));
    }

  private:
    /// Whether every α is 1, if that can be read without waiting for another device. Then y + s is
    /// computed, which has the bits of y + 1·s and costs less.
    bool all_ones(const std::vector<at::Tensor>& controls) const {
        if (!folded_train_) return false;
        for (std::size_t i = 0; i < controls.size(); ++i) {
            const at::Tensor& alpha = controls[i];
            if (!is_alpha_[i]) continue;
            if (!alpha.is_cpu() || alpha.scalar_type() != at::kFloat || alpha.numel() != 1 ||
                *alpha.const_data_ptr<float>() != 1.0f)
                return false;
        }
        return true;
    }
    void drop_alphas(std::vector<at::Tensor>& controls) const {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < controls.size(); ++i)
            if (!is_alpha_[i]) controls[kept++] = controls[i];
        controls.resize(kept);
    }

    graph::Interpreter train_;
    graph::Interpreter eval_;
    std::optional<graph::Interpreter> folded_train_;  ///< the same without α, if there is one
    std::optional<graph::Interpreter> folded_eval_;
    std::vector<bool> is_alpha_;  ///< for each control
    bool passes_ = true;          ///< every seed here is isolated
};

bool all_finite(const std::vector<at::Tensor>& tensors) {
    const at::NoGradGuard no_grad;
    for (const at::Tensor& tensor : tensors) {
        // The sum of finite numbers may be infinite; only then each number is checked.
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
