#include "esper/services/tolaria/data/prefetching_loader.h"

#include <algorithm>
#include <utility>

namespace esper::tolaria {

Status fill_batch(const Dataset& dataset, Part part, const std::optional<Variation>& variation,
                  Batch& batch) {
    const DatasetInfo& info = dataset.info();
    const std::size_t n = batch.indices.size();
    const auto inputs = n * static_cast<std::size_t>(info.input_elements());
    batch.targets.resize(n * static_cast<std::size_t>(info.target_elements()));
    InputBuffer buffer;
    if (info.tokens) {
        batch.tokens.resize(inputs);
        buffer.tokens = batch.tokens.data();
    } else {
        batch.pixels.resize(inputs);
        buffer.pixels = batch.pixels.data();
    }
    return dataset.fill(part, batch.indices, variation, buffer, batch.targets.data());
}

PrefetchingLoader::PrefetchingLoader(std::shared_ptr<const Dataset> dataset, Part part,
                                     BatchPlan plan, LoaderOptions options)
    : dataset_(std::move(dataset)), part_(part), plan_(std::move(plan)), options_(options) {
    // One batch is with the reader, one in the making.
    const std::size_t buffers = std::max<std::size_t>(options_.depth, 1) + 1;
    for (std::size_t i = 0; i < buffers; ++i) spare_.push_back(std::make_unique<Batch>());
    thread_ = std::thread([this] { run(); });
}

PrefetchingLoader::~PrefetchingLoader() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Result<const Batch*> PrefetchingLoader::next() {
    std::unique_lock lock(mutex_);
    if (current_) {
        spare_.push_back(std::move(current_));
        changed_.notify_all();
    }
    changed_.wait(lock, [this] { return !ready_.empty() || finished_; });
    if (!ready_.empty()) {
        current_ = std::move(ready_.front());
        ready_.pop_front();
        return current_.get();
    }
    if (error_) return fail(*error_);
    return nullptr;
}

void PrefetchingLoader::run() {
    for (std::uint64_t step = options_.first_step; step < options_.end_step; ++step) {
        std::unique_ptr<Batch> batch;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !spare_.empty() || stop_; });
            if (stop_) return;
            batch = std::move(spare_.back());
            spare_.pop_back();
        }
        Status made = make(*batch, step);
        const std::lock_guard lock(mutex_);
        if (!made) {
            error_ = std::move(made.error());
            break;
        }
        ready_.push_back(std::move(batch));
        changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
}

Status PrefetchingLoader::make(Batch& batch, std::uint64_t step) {
    batch.step = step;
    batch.epoch = plan_.epoch_of(step);
    plan_.batch(step, batch.indices);
    std::optional<Variation> variation;
    if (options_.variation_seed) variation = Variation{*options_.variation_seed, batch.epoch};
    return fill_batch(*dataset_, part_, variation, batch);
}

}  // namespace esper::tolaria
