#ifndef ESPER_GROWING_MODULE_H
#define ESPER_GROWING_MODULE_H
// A C++ model that grows in your own training loop: docs/cpp.md shows the whole of it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace at {
class Tensor;
}

namespace esper {

/// A place where a seed may sit.
struct AnchorInfo {
    std::string name;  ///< `layer1.0.conv1`
    std::string kind;  ///< `image` [N, C, H, W], `vector` [N, D] or `tokens` [N, T, D]
    std::int64_t features = 0;
    std::string state;  ///< `DORMANT`, `TRAINING`, `GRAFTING`, … as in docs/growth.md
    std::string seed;   ///< the name of the seed that sits there, "" where none is awake
};

/// What a model is to be recorded from. `wrap` below fills it in for a torch::nn::Module.
struct ModuleView {
    using Named = std::vector<std::pair<std::string, at::Tensor>>;
    std::string name = "module";
    std::function<Named()> parameters;
    std::function<Named()> buffers;
    std::function<bool()> is_training;
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)> forward;
};

struct WrapOptions {
    /// Globs over anchor names; `!glob` takes out again.
    std::vector<std::string> anchors{"**"};
    /// What newborn parameters are drawn from.
    std::uint64_t seed = 1;
};

/// A module with places for seeds. Its parameters stay the module's own, shared; sleeping seeds are
/// no instruction at all. The forward pass is recorded once per mode and input signature and runs
/// through the dispatcher under autograd, so any optimizer and loss work. All functions throw
/// std::runtime_error with what was expected, what came and what to do. Not thread-safe.
class GrowingModule {
  public:
    GrowingModule(ModuleView module, const std::vector<at::Tensor>& example,
                  const WrapOptions& options = {});
    /// A model exported by torch.export.save; its weights are the file's, mapped into memory.
    static GrowingModule from_pt2(const std::string& path, const WrapOptions& options = {});
    ~GrowingModule();
    GrowingModule(GrowingModule&&) noexcept;
    GrowingModule& operator=(GrowingModule&&) noexcept;

    /// `12 anchors, 12 seeds, 77,850 parameters`.
    std::string summary() const;
    std::vector<AnchorInfo> anchors() const;
    /// Names of the blueprints that fit what flows at an anchor.
    std::vector<std::string> blueprints(const std::string& anchor) const;

    /// The outputs, in order. Follows the module's training mode; from_pt2() models train until
    /// set_training(false).
    std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs);
    void set_training(bool training);
    /// Parameters that were not the module's: those of all seeds, by name, in the order they came.
    ModuleView::Named seed_parameters() const;
    /// All parameters: the module's, then the seeds'.
    ModuleView::Named parameters() const;

    /// Puts a seed at an anchor. It learns in isolation: the host's output and gradients stay as
    /// they are, bit for bit. Returns the new parameters; give them to your optimizer.
    std::vector<at::Tensor> germinate(const std::string& anchor, const std::string& blueprint);
    /// Blends the seed in over so many steps (smoothstep).
    void graft(const std::string& anchor, std::int64_t ramp_steps);
    /// After each optimizer step: ramps move on.
    void tick(double loss);
    /// GRAFTING → STABILIZATION → EVALUATING → FINE_TUNING, one step of it.
    void advance(const std::string& anchor);
    /// The seed becomes part of the model for good.
    void fossilize(const std::string& anchor);
    /// Takes the seed out; the model is what it was before it came, trained on.
    void cull(const std::string& anchor);
    /// What a blended seed is multiplied with, to measure with and without it.
    void set_alpha(const std::string& anchor, double alpha);

    /// SHA-256 of the Program as it is now.
    std::string program_sha256() const;
    /// Writes `model.safetensors` and `model.py`, plain PyTorch that needs no Esper.
    void export_to(const std::string& folder) const;

  private:
    struct Impl;
    explicit GrowingModule(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

namespace detail {
/// Types with tensors inside, not looked into before `wrap` is used: by then the caller has
/// included what makes at::Tensor complete.
template <typename Module>
struct Later {
    using Named = ModuleView::Named;
    using Tensors = std::vector<at::Tensor>;
};
}  // namespace detail

/// Wraps a torch::nn::Module (or anything with named_parameters(), named_buffers(), is_training()
/// and forward(Tensor) → Tensor), which must outlive the result.
template <typename Module>
GrowingModule wrap(Module& module, const std::vector<at::Tensor>& example,
                   const WrapOptions& options = {}) {
    using Later = detail::Later<Module>;
    const auto named = [](const auto& dictionary) {
        typename Later::Named pairs;
        for (const auto& item : dictionary) pairs.emplace_back(item.key(), item.value());
        return pairs;
    };
    ModuleView view;
    view.parameters = [&module, named] { return named(module.named_parameters()); };
    view.buffers = [&module, named] { return named(module.named_buffers()); };
    view.is_training = [&module] { return module.is_training(); };
    view.forward = [&module](const auto& inputs) {
        return typename Later::Tensors{module.forward(inputs.at(0))};
    };
    return GrowingModule(std::move(view), example, options);
}

}  // namespace esper

#endif
