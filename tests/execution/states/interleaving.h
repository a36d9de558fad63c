#pragma once
// A small model checker. It runs two or three "threads" as fibers on atomics whose every access is
// a scheduling point, and runs all interleavings of those accesses. The interleavings are
// sequentially consistent; ThreadSanitizer covers weaker memory orders.

#include <setjmp.h>
#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace esper::testing {

/// The threads' functions, and the check to make when all have ended (it returns "" on success).
struct Scenario {
    std::vector<std::function<void()>> threads;
    std::function<std::string()> check;
};

struct Exploration {
    std::uint64_t executions = 0;
    std::uint64_t states = 0;  ///< distinct (shared memory, what each thread has seen so far)
    std::string failure;       ///< the first check that failed, or a deadlock, with its schedule
};

class Interleaver {
  public:
    static Interleaver*& current() {
        static Interleaver* instance = nullptr;
        return instance;
    }

    /// Runs all interleavings of the scenario; stops at the first failure. Two prefixes with the
    /// same shared memory and the same history of every thread have the same continuations, which
    /// are run only once.
    Exploration explore(const std::function<Scenario()>& make) {
        current() = this;
        do {
            run_once(make);
        } while (result_.failure.empty() && next_prefix());
        current() = nullptr;
        result_.states = seen_.size();
        return result_;
    }

    /// Called by the traced atomics around each access.
    void before_access() {
        if (running_ >= 0) switch_out(false);
    }
    void after_access(std::uint64_t observed) {
        if (running_ < 0) return;
        Fiber& f = *fibers_[static_cast<std::size_t>(running_)];
        f.history = mix(f.history, observed);
        f.writes_seen = writes_;
    }
    void on_write(std::uint32_t id, std::uint64_t old_value, std::uint64_t new_value) {
        if (old_value == new_value) return;  // no thread waits for a write that changes nothing
        memory_ ^= mix(id, old_value) ^ mix(id, new_value);
        ++writes_;
    }
    /// The running thread waits until another thread has written since its own last access.
    void wait() {
        if (running_ >= 0) switch_out(true);
    }
    std::uint32_t register_atomic(std::uint64_t value) {
        memory_ ^= mix(atomics_, value);
        return atomics_++;
    }

  private:
    struct Fiber {
        ucontext_t context{};
        jmp_buf place{};
        bool entered = false;
        std::unique_ptr<char[]> stack;
        std::function<void()> body;
        bool done = false;
        bool waiting = false;
        std::uint64_t writes_seen = 0;
        std::uint64_t history = 0;
    };
    struct Choice {
        std::vector<int> enabled;
        std::size_t picked = 0;
    };
    static constexpr std::size_t kStack = 256 * 1024;

    static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
        std::uint64_t x = (a ^ 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull + b;
        x = (x ^ (x >> 31)) * 0x94d049bb133111ebull;
        return x ^ (x >> 29);
    }

    static void enter() {
        Interleaver* self = current();
        Fiber& f = *self->fibers_[static_cast<std::size_t>(self->running_)];
        f.body();
        f.done = true;
        _longjmp(self->scheduler_, 1);
    }

    void switch_out(bool waiting) {
        Fiber& f = *fibers_[static_cast<std::size_t>(running_)];
        f.waiting = waiting;
        f.history = mix(f.history, waiting ? 1 : 2);  // it has reached this access
        if (_setjmp(f.place) == 0) _longjmp(scheduler_, 1);
    }

    /// Runs fiber `i` until its next access. A context starts it; later switches are jumps, which
    /// need no system call.
    void resume(std::size_t i) {
        Fiber& f = *fibers_[i];
        if (_setjmp(scheduler_) != 0) return;
        if (!f.entered) {
            f.entered = true;
            setcontext(&f.context);
        }
        _longjmp(f.place, 1);
    }

    void run_once(const std::function<Scenario()>& make) {
        ++result_.executions;
        atomics_ = 0, memory_ = 0, writes_ = 0, running_ = -1;
        Scenario scenario = make();
        start(scenario);
        std::size_t depth = 0;
        bool branching = true;
        std::string schedule;
        for (;;) {
            std::vector<int> enabled = runnable();
            if (enabled.empty()) break;
            int pick = enabled.front();
            if (enabled.size() > 1) {
                if (depth < path_.size()) {
                    pick = path_[depth].enabled[path_[depth].picked];
                    ++depth;
                } else if (branching) {
                    branching = seen_.insert(fingerprint()).second;
                    if (branching) {
                        path_.push_back({enabled, 0});
                        ++depth;
                    }
                }
            }
            schedule += static_cast<char>('0' + pick);
            running_ = pick;
            resume(static_cast<std::size_t>(pick));
            running_ = -1;
        }
        for (const auto& f : fibers_) {
            if (!f->done) result_.failure = "deadlock after schedule " + schedule;
        }
        if (result_.failure.empty()) {
            const std::string problem = scenario.check();
            if (!problem.empty()) result_.failure = problem + " after schedule " + schedule;
        }
    }

    void start(Scenario& scenario) {
        fibers_.resize(scenario.threads.size());
        for (std::size_t i = 0; i < fibers_.size(); ++i) {
            auto& f = fibers_[i];
            std::unique_ptr<char[]> stack =
                f ? std::move(f->stack) : std::make_unique<char[]>(kStack);
            f = std::make_unique<Fiber>();
            f->stack = std::move(stack);
            f->body = scenario.threads[i];
            getcontext(&f->context);
            f->context.uc_stack.ss_sp = f->stack.get();
            f->context.uc_stack.ss_size = kStack;
            f->context.uc_link = nullptr;
            makecontext(&f->context, &Interleaver::enter, 0);
        }
    }

    std::vector<int> runnable() const {
        std::vector<int> list;
        for (std::size_t i = 0; i < fibers_.size(); ++i) {
            const Fiber& f = *fibers_[i];
            if (!f.done && (!f.waiting || writes_ > f.writes_seen)) {
                list.push_back(static_cast<int>(i));
            }
        }
        return list;
    }

    std::uint64_t fingerprint() const {
        std::uint64_t h = memory_;
        for (const auto& f : fibers_) h = mix(h, f->history + (f->done ? 1 : 0));
        return h;
    }

    bool next_prefix() {
        while (!path_.empty()) {
            if (++path_.back().picked < path_.back().enabled.size()) return true;
            path_.pop_back();
        }
        return false;
    }

    Exploration result_;
    std::vector<Choice> path_;
    std::unordered_set<std::uint64_t> seen_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    jmp_buf scheduler_{};
    int running_ = -1;
    std::uint32_t atomics_ = 0;
    std::uint64_t memory_ = 0;
    std::uint64_t writes_ = 0;
};

/// The policy of esper/execution/states/atomics_policy.h for the checker.
struct TracedAtomics {
    template <typename T>
    class Atomic {
      public:
        Atomic() : Atomic(T{}) {}
        explicit Atomic(T value) : value_(value) {
            if (auto* i = Interleaver::current()) id_ = i->register_atomic(bits(value));
        }
        T load(std::memory_order = std::memory_order_seq_cst) const {
            return access([&] { return value_; });
        }
        void store(T value, std::memory_order = std::memory_order_seq_cst) {
            access([&] {
                write(value);
                return T{};
            });
        }
        bool compare_exchange_strong(T& expected, T desired, std::memory_order,
                                     std::memory_order = std::memory_order_seq_cst) {
            bool swapped = false;
            const T found = access([&] {
                const T now = value_;
                swapped = now == expected;
                if (swapped) write(desired);
                return now;
            });
            expected = found;
            return swapped;
        }
        T fetch_add(T amount, std::memory_order = std::memory_order_seq_cst) {
            return update([&](T v) { return static_cast<T>(v + amount); });
        }
        T fetch_sub(T amount, std::memory_order = std::memory_order_seq_cst) {
            return update([&](T v) { return static_cast<T>(v - amount); });
        }
        T exchange(T value, std::memory_order = std::memory_order_seq_cst) {
            return update([&](T) { return value; });
        }

      private:
        static std::uint64_t bits(T value) { return static_cast<std::uint64_t>(value); }
        void write(T value) {
            if (auto* i = Interleaver::current()) i->on_write(id_, bits(value_), bits(value));
            value_ = value;
        }
        template <typename F>
        T update(F f) {
            return access([&] {
                const T old = value_;
                write(f(old));
                return old;
            });
        }
        template <typename F>
        static T access(F f) {
            auto* i = Interleaver::current();
            if (i != nullptr) i->before_access();
            const T observed = f();
            if (i != nullptr) i->after_access(bits(observed));
            return observed;
        }
        T value_;
        std::uint32_t id_ = 0;
    };

    static void relax(unsigned) {
        if (auto* i = Interleaver::current()) i->wait();
    }
};

}  // namespace esper::testing
