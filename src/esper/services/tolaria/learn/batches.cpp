#include "esper/services/tolaria/learn/batches.h"

#include <ATen/ops/from_blob.h>

namespace esper::tolaria {

namespace {

template <typename T>
at::Tensor wrap(const AlignedVector<T>& buffer, at::IntArrayRef shape, at::ScalarType dtype) {
    // from_blob wants a mutable pointer; nothing here writes to a batch.
    return at::from_blob(const_cast<T*>(buffer.data()), shape, at::TensorOptions(dtype));
}

}  // namespace

std::vector<at::Tensor> as_tensors(const Batch& batch, const DatasetInfo& info) {
    std::vector<std::int64_t> shape{batch.size()};
    shape.insert(shape.end(), info.input_shape.begin(), info.input_shape.end());
    std::vector<std::int64_t> target_shape{batch.size()};
    target_shape.insert(target_shape.end(), info.target_shape.begin(), info.target_shape.end());
    at::Tensor x;
    if (info.tokens) {
        x = wrap(batch.tokens, shape, at::kLong);
    } else if (info.layout == ImageLayout::kChannelsLast && info.input_shape.size() == 3) {
        x = wrap(batch.pixels, {shape[0], shape[2], shape[3], shape[1]}, at::kFloat)
                .permute({0, 3, 1, 2});
    } else {
        x = wrap(batch.pixels, shape, at::kFloat);
    }
    if (!batch.soft.empty() && info.task == Task::kMultiLabel)
        return {x, wrap(batch.soft, {shape[0], 2, info.classes}, at::kFloat)};
    if (!batch.soft.empty()) return {x, wrap(batch.soft, {shape[0], info.classes}, at::kFloat)};
    if (info.task == Task::kMultiLabel)
        return {x, wrap(batch.values, target_shape, at::kFloat).to(at::kBool)};
    if (info.task == Task::kRegression) return {x, wrap(batch.values, target_shape, at::kFloat)};
    return {x, wrap(batch.targets, target_shape, at::kLong)};
}

}  // namespace esper::tolaria
