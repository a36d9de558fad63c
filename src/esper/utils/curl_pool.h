#pragma once

#include <curl/curl.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace esper::utils {

/// A pool of curl easy handles. Each handle keeps its connection open and serves one request at a
/// time. The pool prefers a handle whose last request went to the same host. Thread-safe.
class CurlPool {
  public:
    CurlPool(std::size_t most, std::size_t most_per_host)
        : most_(most), most_per_host_(most_per_host) {}
    ~CurlPool();

    /// Null when none becomes free in time.
    CURL* acquire(const std::string& host, std::chrono::milliseconds patience);
    void release(const std::string& host, CURL* handle);

  private:
    struct Idle {
        std::string host;
        CURL* handle;
    };
    CURL* take_idle(const std::string& host);

    std::size_t most_;
    std::size_t most_per_host_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<Idle> idle_;
    std::map<std::string, std::size_t> lent_;
    std::size_t total_ = 0;
};

}  // namespace esper::utils
