#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "esper/execution/kernels/cache_types.h"

namespace esper::testing {

#define ESPER_TEST_SOURCE_ERRORS(X) X(kNoSuchKernel, kData) X(kRefused, kVerification)
ESPER_DEFINE_ERRORS(TestSourceError, "test_source", ESPER_TEST_SOURCE_ERRORS)

/// A kernel that keeps the bytes it was made from and counts the kernels that exist.
class TestKernel final : public execution::CachedKernel {
  public:
    TestKernel(std::uint64_t id, std::string bytes) : id_(id), bytes_(std::move(bytes)) {
        alive().fetch_add(1);
    }
    ~TestKernel() override { alive().fetch_sub(1); }
    std::uint64_t charge() const override { return bytes_.size(); }
    std::uint64_t id() const { return id_; }
    const std::string& bytes() const { return bytes_; }
    static std::atomic<int>& alive() {
        static std::atomic<int> n{0};
        return n;
    }

  private:
    std::uint64_t id_;
    std::string bytes_;
};

/// A source that makes kernels on demand: kernel n is `size(n)` bytes that contain its id.
class TestSource final : public execution::KernelSource {
  public:
    Result<std::string> fetch(std::uint64_t id) override {
        fetches.fetch_add(1);
        const std::chrono::milliseconds pause(delay_ms);
        if (pause.count() > 0) std::this_thread::sleep_for(pause);
        if (throwing) throw std::runtime_error("the library is on fire");
        if (failing) return fail(TestSourceError::kNoSuchKernel, "no such kernel");
        return std::to_string(id) + std::string(size(id), 'k');
    }
    Result<std::unique_ptr<execution::CachedKernel>> load(std::uint64_t id,
                                                          std::string bytes) override {
        if (refuse && refuse(bytes)) return fail(TestSourceError::kRefused, "refused");
        return std::make_unique<TestKernel>(id, std::move(bytes));
    }

    std::function<std::size_t(std::uint64_t)> size = [](std::uint64_t) { return 100; };
    std::function<bool(const std::string&)> refuse;
    std::atomic<int> delay_ms{0};
    std::atomic<bool> failing{false};
    std::atomic<bool> throwing{false};
    std::atomic<int> fetches{0};
};

}  // namespace esper::testing
