#pragma once

#include <functional>
#include <future>
#include <memory>
#include <type_traits>

namespace esper {

/// A fixed number of worker threads (at least one) and one FIFO queue. Tasks may submit tasks; the
/// destructor runs all queued tasks before it returns. Thread-safe.
class ThreadPool {
  public:
    explicit ThreadPool(unsigned threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    unsigned size() const;
    /// An exception that leaves `task` ends the program; use `submit` to pass it to the caller.
    void post(std::function<void()> task);

    /// Runs `f` on a worker. The future holds its value, or the exception that it threw.
    template <typename F>
    auto submit(F f) -> std::future<std::invoke_result_t<F>> {
        auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F>()>>(std::move(f));
        auto future = task->get_future();
        post([task] { (*task)(); });
        return future;
    }

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper
