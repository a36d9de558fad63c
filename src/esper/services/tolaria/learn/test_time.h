#pragma once

#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/learn/evaluation.h"

namespace esper::tolaria {

/// Views of an image whose probabilities are averaged at test time: the image, with `mirror` its
/// mirror image, and all of these moved by `shift` pixels up, down, left and right (0: not moved).
/// With both they are ten, as in Krizhevsky et al. 2012.
struct TestTimeViews {
    bool mirror = true;
    int shift = 0;
    std::size_t count() const {
        return (mirror ? std::size_t{2} : std::size_t{1}) *
               (shift > 0 ? std::size_t{5} : std::size_t{1});
    }
};

/// Writes view `view` of `examples` images, laid out as the data set's, to `out`; what is moved in
/// gets the mean colour.
void write_view(const TestTimeViews& views, std::size_t view, const DatasetInfo& info,
                std::size_t examples, const float* images, float* out);

/// Mean of the views' probabilities, f32 [N, K], as logits: of classes log p, of labels
/// log(p / (1 - p)). Errors: those of Engine::logits.
Result<at::Tensor> mean_over_views(Engine& engine, const graph::ProgramPtr& program,
                                   graph::TensorStore& store, const DatasetInfo& info,
                                   const TestTimeViews& views, const Batch& batch);

/// Evaluates a part of images with classes or labels by the mean over views. Errors: those of fill
/// and of Engine::logits.
Result<Evaluation> evaluate_over_views(Engine& engine, const graph::ProgramPtr& program,
                                       graph::TensorStore& store, const Dataset& dataset, Part part,
                                       std::uint32_t batch_size, const TestTimeViews& views);

}  // namespace esper::tolaria
