#include "esper/services/tolaria/data/prefetching_loader.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace esper::tolaria {

Status fill_batch(const Dataset& dataset, Part part, const std::optional<Variation>& variation,
                  Batch& batch) {
    const DatasetInfo& info = dataset.info();
    const std::size_t n = batch.indices.size();
    const auto inputs = n * static_cast<std::size_t>(info.input_elements());
    const auto targets = n * static_cast<std::size_t>(info.target_elements());
    TargetBuffer wanted;
    if (info.task == Task::kRegression || info.task == Task::kMultiLabel) {
        batch.values.resize(targets);
        wanted.values = batch.values.data();
    } else {
        batch.targets.resize(targets);
        wanted.classes = batch.targets.data();
    }
    InputBuffer buffer;
    if (info.tokens) {
        batch.tokens.resize(inputs);
        buffer.tokens = batch.tokens.data();
    } else {
        batch.pixels.resize(inputs);
        buffer.pixels = batch.pixels.data();
    }
    return dataset.fill(part, batch.indices, variation, buffer, wanted);
}

void soften_batch(const DatasetInfo& info, const SoftTargets& options, std::uint64_t seed,
                  std::uint64_t step, Batch& batch) {
    const std::size_t n = batch.indices.size();
    Mix mix;
    if (options.mixes()) {
        mix = draw_mix(options, seed, step, static_cast<int>(info.input_shape[2]),
                       static_cast<int>(info.input_shape[1]));
        mix_images(mix, info, n, batch.pixels.data());
    }
    if (info.task == Task::kMultiLabel) {
        batch.soft.resize(2 * batch.values.size());
        fill_soft_labels(options, mix, batch.values, info.classes, batch.soft.data());
        return;
    }
    batch.soft.resize(n * static_cast<std::size_t>(info.classes));
    fill_soft_targets(options, mix, batch.targets, info.classes, batch.soft.data());
}

PrefetchingLoader::PrefetchingLoader(std::shared_ptr<const Dataset> dataset, Part part,
                                     BatchPlan plan, const LoaderOptions& options)
    : dataset_(std::move(dataset)),
      part_(part),
      plan_(std::move(plan)),
      options_(options),
      claimed_(options.first_step),
      delivered_(options.first_step) {
    // One batch is with the reader, the others ready or in the making.
    const std::size_t ahead = std::max<std::size_t>({options_.depth, options_.workers, 1});
    const std::size_t buffers = options_.workers == 0 ? 1 : ahead + 1;
    for (std::size_t i = 0; i < buffers; ++i) spare_.push_back(std::make_unique<Batch>());
    for (std::size_t i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { run(); });
}

PrefetchingLoader::~PrefetchingLoader() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Result<const Batch*> PrefetchingLoader::make_here() {
    if (error_) return fail(*error_);
    if (delivered_ >= options_.end_step) return nullptr;
    Batch& batch = *spare_.front();
    if (Status made = make(plan_, batch, delivered_); !made) {
        error_ = std::move(made.error());
        return fail(*error_);
    }
    ++delivered_;
    return &batch;
}

Result<const Batch*> PrefetchingLoader::next() {
    if (threads_.empty()) return make_here();
    std::unique_lock lock(mutex_);
    if (current_) {
        spare_.push_back(std::move(current_));
        changed_.notify_all();
    }
    if (delivered_ >= options_.end_step) return nullptr;
    changed_.wait(lock,
                  [this] { return ready_.contains(delivered_) || error_step_ == delivered_; });
    if (error_step_ == delivered_) return fail(*error_);
    auto found = ready_.extract(delivered_++);
    current_ = std::move(found.mapped());
    return current_.get();
}

void PrefetchingLoader::run() {
    BatchPlan plan = plan_;
    while (true) {
        std::unique_ptr<Batch> batch;
        std::uint64_t step = 0;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !spare_.empty() || stop_; });
            // The steps before a failed one have all been taken on already.
            if (stop_ || error_ || claimed_ >= options_.end_step) return;
            batch = std::move(spare_.back());
            spare_.pop_back();
            step = claimed_++;
        }
        Status made = make(plan, *batch, step);
        const std::lock_guard lock(mutex_);
        if (!made) {
            if (step < error_step_) {
                error_ = std::move(made.error());
                error_step_ = step;
            }
        } else {
            ready_.emplace(step, std::move(batch));
        }
        changed_.notify_all();
    }
}

Status PrefetchingLoader::make(BatchPlan& plan, Batch& batch, std::uint64_t step) const {
    batch.step = step;
    batch.epoch = plan.epoch_of(step);
    plan.batch(step, batch.indices);
    std::optional<Variation> variation;
    if (options_.variation_seed) variation = Variation{*options_.variation_seed, batch.epoch};
    try {
        ESPER_CHECK_STATUS(fill_batch(*dataset_, part_, variation, batch));
        if (variation && options_.soft)
            soften_batch(dataset_->info(), *options_.soft, variation->seed, step, batch);
        return {};
    } catch (const std::bad_alloc&) {
        // In a thread of ours nobody else could catch it.
        return fail(DataError::kNoMemory, "not enough memory for a batch of " +
                                              std::to_string(batch.indices.size()) +
                                              " examples; lower data.batch_size");
    }
}

}  // namespace esper::tolaria
