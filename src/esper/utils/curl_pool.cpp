#include "esper/utils/curl_pool.h"

#include <algorithm>

namespace esper::utils {

CurlPool::~CurlPool() {
    for (const Idle& i : idle_) curl_easy_cleanup(i.handle);
}

CURL* CurlPool::take_idle(const std::string& host) {
    const auto same =
        std::find_if(idle_.rbegin(), idle_.rend(), [&](const Idle& i) { return i.host == host; });
    CURL* handle = nullptr;
    if (same != idle_.rend()) {
        handle = same->handle;
        idle_.erase(std::next(same).base());
    } else if (total_ < most_) {
        handle = curl_easy_init();
        if (handle != nullptr) ++total_;
    } else if (!idle_.empty()) {
        handle = idle_.front().handle;
        idle_.erase(idle_.begin());
    }
    return handle;
}

CURL* CurlPool::acquire(const std::string& host, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    const auto available = [&] {
        return lent_[host] < most_per_host_ && (!idle_.empty() || total_ < most_);
    };
    if (!freed_.wait_for(lock, patience, available)) return nullptr;
    CURL* handle = take_idle(host);
    if (handle != nullptr) ++lent_[host];
    return handle;
}

void CurlPool::release(const std::string& host, CURL* handle) {
    {
        const std::lock_guard lock(mutex_);
        const auto lent = lent_.find(host);
        if (--lent->second == 0) lent_.erase(lent);
        idle_.push_back({host, handle});
    }
    freed_.notify_all();
}

}  // namespace esper::utils
