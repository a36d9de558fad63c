#include <stdlib.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "esper/base/fault_points.h"
#include "esper/base/random.h"
#include "esper/cli/soak.h"
#include "esper/execution/kernels/kernel_cache.h"

namespace esper::cli {

namespace {

using execution::CachedKernel;
using execution::DiskTier;
using execution::KernelCache;

constexpr std::uint64_t kIds = 512;
constexpr std::uint64_t kOperationsPerDiskAccess = 8192;

class SoakKernel final : public CachedKernel {
  public:
    SoakKernel(std::uint64_t kernel, std::string bytes) : id(kernel), bytes_(std::move(bytes)) {}
    std::uint64_t charge() const override { return bytes_.size(); }
    const std::uint64_t id;

  private:
    std::string bytes_;
};

/// Makes kernels of a few sizes; every 97th cannot be loaded.
class SoakSource final : public execution::KernelSource {
  public:
    Result<std::string> fetch(std::uint64_t id) override {
        if (id % 97 == 5) return fail(FaultError::kInjected, "this kernel cannot be had");
        return std::string(256 * (1 + id % 7), static_cast<char>('a' + id % 26));
    }
    Result<std::unique_ptr<CachedKernel>> load(std::uint64_t id, std::string bytes) override {
        return std::make_unique<SoakKernel>(id, std::move(bytes));
    }
};

class Soak {
  public:
    Soak() {
        std::error_code error;
        std::string pattern =
            (std::filesystem::temp_directory_path(error) / "esper-soak-XXXXXX").string();
        if (error || ::mkdtemp(pattern.data()) == nullptr) {
            throw EsperException(fail(SoakError::kNoFolder,
                                      "a disk tier needs a temporary folder; let TMPDIR name one "
                                      "that can be written")
                                     .value());
        }
        folder_ = pattern;
        disk_ = value_or_throw(DiskTier::open(folder_, 96 * 1024));
        behind_disk_ = std::make_unique<KernelCache>(
            execution::KernelCacheOptions{.max_bytes = 8 * 1024, .max_entries = 8}, source_,
            disk_.get());
    }
    Soak(const Soak&) = delete;
    Soak& operator=(const Soak&) = delete;
    ~Soak() {
        behind_disk_.reset();
        disk_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    Status run(const SoakLap& lap) {
        std::array<std::uint64_t, 2> wrong{};
        const auto work = [&](std::uint32_t thread) {
            wrong[thread] = walk(lap.from, lap.operations / 2, thread);
        };
        std::thread other([&] { work(1); });
        work(0);
        other.join();
        if (wrong[0] + wrong[1] == 0) return {};
        return fail(SoakError::kWrongKernel, "the cache gave another kernel than was asked for");
    }

  private:
    static bool is_wrong(const Result<execution::KernelPin>& pin, std::uint64_t id) {
        static FaultPoint fault{"soak.wrong_kernel"};
        return pin && (dynamic_cast<const SoakKernel*>(pin->get())->id != id || fault.fires());
    }

    std::uint64_t walk(std::uint64_t from, std::uint64_t operations, std::uint32_t thread) {
        static FaultPoint leak{"soak.leak"};
        RandomStream random(1, "soak cache", from, thread);
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < operations; ++i) {
            const std::uint64_t r = random.next_u64();
            // The product of two draws, so that few ids get most of the requests.
            const std::uint64_t id = 1 + (r % kIds) * ((r >> 20) % kIds) / kIds;
            const auto what = (r >> 40) % 1024;
            if (what < 1000) {
                wrong += is_wrong(cache_.get(id), id) ? 1 : 0;
            } else if (what < 1016) {
                cache_.prefetch(id);
            } else {
                cache_.remove(id);
            }
            if (r % kOperationsPerDiskAccess == 0) {
                wrong += is_wrong(behind_disk_->get(id), id) ? 1 : 0;
            }
            if (leak.fires()) leaked_ = new std::string(64, 'l');
        }
        return wrong;
    }

    SoakSource source_;
    ThreadPool pool_{1};
    KernelCache cache_{{.max_bytes = 64 * 1024, .max_entries = 128}, source_, nullptr, &pool_};
    std::filesystem::path folder_;
    std::unique_ptr<DiskTier> disk_;
    std::unique_ptr<KernelCache> behind_disk_;
    std::atomic<const std::string*> leaked_{nullptr};
};

}  // namespace

SoakWork soak_cache() {
    const auto soak = std::make_shared<Soak>();
    return [soak](const SoakLap& lap) { return soak->run(lap); };
}

}  // namespace esper::cli
