#ifndef ESPER_GROWING_MODULE_H
#define ESPER_GROWING_MODULE_H
// A C++ model that grows in your own training loop. docs/cpp.md has a complete example.

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

/// A place in the model where a seed may be added.
struct AnchorInfo {
    std::string name;  ///< `layer1.0.conv1`
    std::string kind;  ///< `image` [N, C, H, W], `vector` [N, D] or `tokens` [N, T, D]
    std::int64_t features = 0;
    std::string state;  ///< `DORMANT`, `TRAINING`, `GRAFTING`, … as in docs/growth.md
    std::string seed;   ///< the name of the seed at the anchor, "" when none is awake
};

/// The parts of a module that GrowingModule needs. `wrap` fills it in for a torch::nn::Module.
struct ModuleView {
    using Named = std::vector<std::pair<std::string, at::Tensor>>;
    std::string name = "module";
    std::function<Named()> parameters;
    std::function<Named()> buffers;
    std::function<bool()> is_training;
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)> forward;
};

struct WrapOptions {
    /// Globs over anchor names; `!glob` excludes. The last glob that matches decides.
    std::vector<std::string> anchors{"**"};
    /// Seed of the random numbers that new parameters are drawn from.
    std::uint64_t seed = 1;
};

/// A module with places for seeds. It shares the module's parameters; dormant seeds add no
/// instructions. The forward pass is recorded once per mode and input signature and runs through
/// libtorch's dispatcher under autograd, so any optimizer and loss work. On an error every function
/// throws std::runtime_error that says what was expected, what came and what to do. Not
/// thread-safe.
class GrowingModule {
  public:
    GrowingModule(ModuleView module, const std::vector<at::Tensor>& example,
                  const WrapOptions& options = {});
    /// Reads a model written by torch.export.save; its weights are mapped from the file.
    static GrowingModule from_pt2(const std::string& path, const WrapOptions& options = {});
    ~GrowingModule();
    GrowingModule(GrowingModule&&) noexcept;
    GrowingModule& operator=(GrowingModule&&) noexcept;

    /// `12 anchors, 12 seeds, 77,850 parameters`.
    std::string summary() const;
    std::vector<AnchorInfo> anchors() const;
    /// Names of the blueprints that fit an anchor.
    std::vector<std::string> blueprints(const std::string& anchor) const;

    /// Runs the model and returns its outputs in order. Uses the module's training mode; a model
    /// from from_pt2() is in training mode until set_training(false).
    std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs);
    void set_training(bool training);
    /// The parameters of all seeds by name, in the order in which they were added.
    ModuleView::Named seed_parameters() const;
    /// All parameters: the module's, then the seeds'.
    ModuleView::Named parameters() const;

    /// Adds a seed at an anchor. The seed learns in isolation: the host's outputs and gradients
    /// keep their bits. Returns the new parameters; add them to your optimizer.
    std::vector<at::Tensor> germinate(const std::string& anchor, const std::string& blueprint);
    /// Blends the seed in: α rises from 0 to 1 over `ramp_steps` calls of tick() (smoothstep).
    void graft(const std::string& anchor, std::int64_t ramp_steps);
    /// Call after each optimizer step; advances the α ramps. `loss` is the step's loss.
    void tick(double loss);
    /// Moves the seed to its next state: GRAFTING → STABILIZATION → EVALUATING → FINE_TUNING.
    void advance(const std::string& anchor);
    /// Makes the seed a permanent part of the model.
    void fossilize(const std::string& anchor);
    /// Removes the seed. The host's parameters keep what they have learned since.
    void cull(const std::string& anchor);
    /// Sets the factor of a blended seed, e.g. to measure the loss with and without it.
    void set_alpha(const std::string& anchor, double alpha);

    /// SHA-256 of the present Program.
    std::string program_sha256() const;
    /// Writes `model.safetensors` and `model.py` (plain PyTorch that does not need Esper).
    void export_to(const std::string& folder) const;

  private:
    struct Impl;
    explicit GrowingModule(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

namespace detail {
/// Templates on `Module`, so that at::Tensor need not be complete until the caller uses `wrap`.
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
