#include "esper/services/supply/retries.h"

#include <algorithm>

namespace esper::supply {

void Retries::begin(const Error& why) {
    std::thread ended;
    {
        const std::lock_guard lock(mutex_);
        if (over_ || failing_) return;
        ended = std::move(thread_);  // of an earlier begin(): it has succeeded
    }
    if (ended.joinable()) ended.join();
    const std::lock_guard lock(mutex_);
    if (over_ || failing_) return;
    failing_ = why;
    thread_ = std::thread([this] { run(); });
}

std::optional<Error> Retries::failing() const {
    const std::lock_guard lock(mutex_);
    return failing_;
}

void Retries::stop() {
    std::thread thread;
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
        thread = std::move(thread_);
    }
    changed_.notify_all();
    if (thread.joinable()) thread.join();
}

void Retries::run() {
    for (auto pause = pauses_.first;; pause = std::min(2 * pause, pauses_.longest)) {
        {
            std::unique_lock lock(mutex_);
            if (changed_.wait_for(lock, pause, [this] { return over_; })) return;
        }
        const Status done = attempt_();
        const std::lock_guard lock(mutex_);
        if (over_) return;
        if (done) {
            failing_.reset();
            return;
        }
        failing_ = done.error();
    }
}

}  // namespace esper::supply
