#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "esper/services/tolaria/data/aligned_buffer.h"
#include "esper/services/tolaria/data/batch_plan.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/data/soft_targets.h"

namespace esper::tolaria {

/// One filled batch. `pixels` or `tokens` holds `indices.size()` inputs, by the data set's kind;
/// `targets` the class or token numbers, or `values` what regression predicts or which labels hold
/// (1 or 0). `soft` are {n, classes}, of labels {n, 2, labels} targets where a training asks for
/// such.
struct Batch {
    std::uint64_t step = 0;
    std::uint64_t epoch = 0;
    std::vector<std::uint32_t> indices;
    AlignedVector<float> pixels;
    AlignedVector<std::int64_t> tokens;
    AlignedVector<std::int64_t> targets;
    AlignedVector<float> values;
    AlignedVector<float> soft;

    std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }
};

struct LoaderOptions {
    /// Seed of the augmentation; nothing: examples as they are.
    std::optional<std::uint64_t> variation_seed = {};
    /// With a variation: batches have soft targets, their images are mixed.
    std::optional<SoftTargets> soft = {};
    /// Batches [first_step, end_step) are delivered.
    std::uint64_t first_step = 0;
    std::uint64_t end_step = UINT64_MAX;
    /// Batches made ahead of the reader, at least 1 and as many as there are workers.
    std::size_t depth = 3;
    /// Threads that make batches; 0: next() makes each itself.
    std::size_t workers = 1;
};

/// Makes batches in background threads, a bounded number ahead of the reader, and delivers them in
/// the plan's exact order, whatever the number of threads. Buffers are reused: after the first few
/// batches nothing is allocated. One reader. Destroying it at any moment stops the threads.
class PrefetchingLoader {
  public:
    PrefetchingLoader(std::shared_ptr<const Dataset> dataset, Part part, BatchPlan plan,
                      const LoaderOptions& options);
    ~PrefetchingLoader();
    PrefetchingLoader(const PrefetchingLoader&) = delete;
    PrefetchingLoader& operator=(const PrefetchingLoader&) = delete;

    /// The next batch, valid until the next call; null behind the last. An error of the data set is
    /// returned at the batch it belongs to, and again ever after.
    Result<const Batch*> next();

  private:
    void run();
    Status make(BatchPlan& plan, Batch& batch, std::uint64_t step) const;
    Result<const Batch*> make_here();

    const std::shared_ptr<const Dataset> dataset_;
    const Part part_;
    BatchPlan plan_;  // of the reader; each worker has a copy
    const LoaderOptions options_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, std::unique_ptr<Batch>> ready_;
    std::vector<std::unique_ptr<Batch>> spare_;
    std::uint64_t claimed_;  ///< the first step that no worker has taken on
    std::optional<Error> error_;
    std::uint64_t error_step_ = UINT64_MAX;  ///< the first step that failed
    bool stop_ = false;
    std::uint64_t delivered_;         // touched by the reader only, and so is:
    std::unique_ptr<Batch> current_;  // the batch it reads
    std::vector<std::thread> threads_;
};

/// Fills `batch` with the examples it is asked for, in the calling thread; buffers grow as needed.
Status fill_batch(const Dataset& dataset, Part part, const std::optional<Variation>& variation,
                  Batch& batch);

/// Makes a filled training batch's soft targets and mixes its images, as `seed` and `step` say.
void soften_batch(const DatasetInfo& info, const SoftTargets& options, std::uint64_t seed,
                  std::uint64_t step, Batch& batch);

}  // namespace esper::tolaria
