#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "esper/services/tolaria/data/augment.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// What makes a batch's targets other than one class, or labels that hold or do not, for each
/// example.
struct SoftTargets {
    /// α of Beta(α, α), from which mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) draw the
    /// share of an image; 0: none of it. With both, each batch has one of the two.
    double mixup = 0;
    double cutmix = 0;
    double label_smoothing = 0;
    /// Of each class, or of each label where it holds, against where it does not (torch's
    /// pos_weight); empty: all count alike.
    std::vector<float> class_weights = {};

    bool mixes() const { return mixup > 0 || cutmix > 0; }
    /// The loss of classes smooths them itself.
    bool is_needed(Task task) const {
        return mixes() || !class_weights.empty() ||
               (task == Task::kMultiLabel && label_smoothing > 0);
    }
};

/// How the images of one batch are mixed: each with the one before it, the first with the last.
struct Mix {
    double share = 1;  ///< of the image itself
    /// CutMix: what is taken from the other image; nothing: both are averaged.
    std::optional<Rectangle> box = {};
};

/// A pure function of its arguments. CutMix's share is that of the pixels that are left.
Mix draw_mix(const SoftTargets& options, std::uint64_t seed, std::uint64_t step, int width,
             int height);

/// Mixes `examples` images, one after another in `pixels`.
void mix_images(const Mix& mix, const DatasetInfo& info, std::size_t examples, float* pixels);

/// Writes {examples, classes} targets. Their sum over classes is what torch's cross-entropy with
/// index targets, weights and label smoothing multiplies the logarithms by, divided by its
/// denominator and multiplied by the number of examples: the mean over the batch of -Σ t·log p is
/// that loss.
void fill_soft_targets(const SoftTargets& options, const Mix& mix,
                       std::span<const std::int64_t> classes, std::int64_t class_count, float* out);

/// Writes {examples, 2, labels} targets of graph::LossKind::kSoftLabels: `holds` are {examples,
/// labels}, 1 or 0. A label holds by the share of the image that has it, and is then drawn by the
/// smoothing towards one half, as Keras does.
void fill_soft_labels(const SoftTargets& options, const Mix& mix, std::span<const float> holds,
                      std::int64_t labels, float* out);

/// Weights n / (classes · n of the class) of the first `examples` training examples, as
/// scikit-learn's 'balanced'; 0 for a class without one. Errors: those of Dataset::fill.
Result<std::vector<float>> balanced_weights(const Dataset& data, std::uint32_t examples);

/// How often a label holds in training decides how much that counts, up to so much, and down to
/// one part of it: what nearly never holds must not drown the rest.
inline constexpr double kMostLabelWeight = 100;
/// Of each label, of the first `examples` training examples: those that do not have it for each
/// that has it, from 1 / kMostLabelWeight to kMostLabelWeight. Errors: those of Dataset::fill.
Result<std::vector<float>> balanced_label_weights(const Dataset& data, std::uint32_t examples);

/// A draw from Beta(alpha, alpha): Marsaglia and Tsang's gamma variates (2000).
double draw_beta(double alpha, RandomStream& stream);

}  // namespace esper::tolaria
