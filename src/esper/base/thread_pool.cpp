#include "esper/base/thread_pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace esper {

struct ThreadPool::Impl {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::function<void()>> queue;
    std::size_t running = 0;
    bool closing = false;
    std::vector<std::thread> workers;

    void work() {
        std::unique_lock lock(mutex);
        while (true) {
            // A running task may still post, so a closing pool waits until no task runs.
            wake.wait(lock, [&] { return !queue.empty() || (closing && running == 0); });
            if (queue.empty()) return;
            std::function<void()> task = std::move(queue.front());
            queue.pop_front();
            ++running;
            lock.unlock();
            task();
            task = nullptr;
            lock.lock();
            --running;
            if (closing && running == 0 && queue.empty()) wake.notify_all();
        }
    }

    void close() {
        {
            const std::lock_guard lock(mutex);
            closing = true;
        }
        wake.notify_all();
        for (std::thread& worker : workers) worker.join();
    }
};

ThreadPool::ThreadPool(unsigned threads) : impl_(std::make_unique<Impl>()) {
    try {
        for (unsigned i = 0; i < std::max(1U, threads); ++i) {
            impl_->workers.emplace_back([impl = impl_.get()] { impl->work(); });
        }
    } catch (...) {
        impl_->close();
        throw;
    }
}

ThreadPool::~ThreadPool() { impl_->close(); }

unsigned ThreadPool::size() const { return static_cast<unsigned>(impl_->workers.size()); }

void ThreadPool::post(std::function<void()> task) {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->queue.push_back(std::move(task));
    }
    impl_->wake.notify_one();
}

}  // namespace esper
