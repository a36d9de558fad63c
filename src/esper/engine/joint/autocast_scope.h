#pragma once

#include <ATen/autocast_mode.h>

namespace esper::graph {

/// Autocast to bfloat16 on the CPU while it lives, if `on`.
struct AutocastScope {
    explicit AutocastScope(bool on) : on_(on) {
        if (!on_) return;
        at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
        at::autocast::set_autocast_enabled(at::kCPU, true);
        at::autocast::set_autocast_cache_enabled(true);
        at::autocast::increment_nesting();
    }
    ~AutocastScope() {
        if (!on_) return;
        if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
        at::autocast::set_autocast_enabled(at::kCPU, false);
    }
    AutocastScope(const AutocastScope&) = delete;
    AutocastScope& operator=(const AutocastScope&) = delete;
    bool on_;
};

}  // namespace esper::graph
