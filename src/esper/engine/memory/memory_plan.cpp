#include "esper/engine/memory/memory_plan.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "esper/engine/memory/arena.h"
#include "esper/engine/memory/memory_layout.h"
#include "esper/engine/memory/own_pages.h"

namespace esper::graph {

namespace {

// malloc serves smaller pieces without loss.
constexpr std::size_t kSmallestPiece = std::size_t{16} << 10;
// A plan for less brings nothing.
constexpr std::size_t kSmallestPlan = std::size_t{1} << 20;
// Lists with more pieces have their largest planned.
constexpr std::size_t kMostPieces = 4096;
constexpr int kMostDepartures = 3;

constexpr std::uint32_t kNever = UINT32_MAX;

}  // namespace

struct MemoryPlan::State {
    struct Piece {
        std::size_t bytes = 0;
        std::uint32_t begin = 0;     ///< number of the event that allocates it
        std::uint32_t end = kNever;  ///< that frees it
        bool planned = false;
        std::size_t offset = 0;
    };
    /// A piece is allocated, or a planned one is freed.
    struct Event {
        std::uint32_t piece;
        bool frees;
    };
    enum class Mode : std::uint8_t { kWatching, kPlanned, kOff };

    // Of the plan.
    Mode mode = Mode::kWatching;
    std::vector<Piece> pieces;
    std::vector<Event> events;
    std::size_t bytes = 0;
    int departures = 0;

    // Of a run.
    Arena* arena = nullptr;
    std::size_t next = 0;
    bool left = false;
    std::uint32_t moment = 0;
    std::unordered_map<const void*, std::uint32_t> watched;

    void begin() {
        next = 0;
        left = false;
        if (mode == Mode::kWatching) {
            moment = 0;
            pieces.clear();
            watched.clear();
        } else if (bytes > 0) {
            arena = Arenas::all().take(bytes);
        }
    }

    void end() {
        if (mode == Mode::kWatching) return make_plan();
        if (arena == nullptr) return;
        Arenas::all().give_back(std::exchange(arena, nullptr));
        if (!left && next == events.size()) return;
        bytes = 0;
        mode = ++departures < kMostDepartures ? Mode::kWatching : Mode::kOff;
    }

    /// The place of a piece that is asked for; null: ask the allocator.
    void* place(std::size_t size) {
        if (arena == nullptr || left) return nullptr;
        left =
            next == events.size() || events[next].frees || pieces[events[next].piece].bytes != size;
        if (left) return nullptr;
        const auto& piece = pieces[events[next++].piece];
        if (!piece.planned) return nullptr;
        ++arena->pieces;
        return arena->begin + piece.offset;
    }

    /// False: the address is not in this run's arena.
    bool free_piece(const void* address) {
        if (arena == nullptr || !arena->holds(address)) return false;
        --arena->pieces;
        if (left) return true;
        left = next == events.size() || !events[next].frees ||
               arena->begin + pieces[events[next].piece].offset != address;
        ++next;
        return true;
    }

    void saw_allocation(const void* address, std::size_t size) {
        watched[address] = static_cast<std::uint32_t>(pieces.size());
        pieces.push_back({.bytes = size, .begin = moment++});
    }
    void saw_free(const void* address) {
        const auto found = watched.find(address);
        if (found == watched.end()) return;
        pieces[found->second].end = moment++;
        watched.erase(found);
    }

  private:
    void make_plan() {
        watched.clear();
        std::vector<std::uint32_t> chosen;
        for (std::uint32_t i = 0; i < pieces.size(); ++i)
            if (pieces[i].end != kNever) chosen.push_back(i);
        if (chosen.size() > kMostPieces) {
            std::nth_element(chosen.begin(), chosen.begin() + kMostPieces, chosen.end(),
                             [&](auto a, auto b) { return pieces[a].bytes > pieces[b].bytes; });
            chosen.resize(kMostPieces);
        }
        std::vector<Lifetime> lives;
        for (const auto i : chosen)
            lives.push_back({pieces[i].bytes, pieces[i].begin, pieces[i].end});
        const auto layout = lay_out(lives);
        if (layout.bytes < kSmallestPlan) {
            mode = Mode::kOff;
            pieces = {};
            return;
        }
        std::vector<std::pair<std::uint32_t, Event>> timed;
        for (std::size_t k = 0; k < chosen.size(); ++k) {
            pieces[chosen[k]].planned = true;
            pieces[chosen[k]].offset = layout.offsets[k];
            timed.emplace_back(pieces[chosen[k]].end, Event{chosen[k], true});
        }
        for (std::uint32_t i = 0; i < pieces.size(); ++i)
            timed.emplace_back(pieces[i].begin, Event{i, false});
        std::sort(timed.begin(), timed.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        events.clear();
        for (const auto& [when, event] : timed) events.push_back(event);
        bytes = layout.bytes;
        mode = Mode::kPlanned;
    }
};

namespace {

thread_local MemoryPlan::State* active = nullptr;
thread_local int own_pages = 0;  // scopes that exist

c10::Allocator* allocator_below = nullptr;

void free_any(void* address) {
    if (active != nullptr) {
        if (active->free_piece(address)) return;
        if (active->mode == MemoryPlan::State::Mode::kWatching) active->saw_free(address);
    }
    if (Arenas::all().free_piece(address) || OwnPages::all().free_piece(address)) return;
    allocator_below->raw_deallocate(address);
}

// A piece that is not planned, to be freed by free_any().
void* piece_of_its_own(std::size_t bytes) {
    void* address = bytes < OwnPages::kSmallest ? nullptr : OwnPages::all().take(bytes);
    return address != nullptr ? address : allocator_below->raw_allocate(bytes);
}

/// Libtorch's CPU allocator, except on threads with a run.
class PlannedAllocator final : public c10::Allocator {
  public:
    c10::DataPtr allocate(std::size_t bytes) override {
        const bool watching =
            active != nullptr && active->mode == MemoryPlan::State::Mode::kWatching;
        if (bytes < kSmallestPiece || (active == nullptr && own_pages == 0))
            return allocator_below->allocate(bytes);
        void* address = active == nullptr ? nullptr : active->place(bytes);
        if (address == nullptr) {
            if (!watching && own_pages == 0) return allocator_below->allocate(bytes);
            address = piece_of_its_own(bytes);
            if (watching) active->saw_allocation(address, bytes);
        }
        return {address, address, &free_any, c10::Device(c10::DeviceType::CPU)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &free_any; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        default_copy_data(to, from, bytes);
    }
};

// Whether the process's CPU allocator can be planned; installs ours the first time.
bool install() {
    static const bool installed = [] {
        allocator_below = c10::GetCPUAllocator();
        if (allocator_below->raw_deleter() == nullptr) return false;
        static auto* ours = new PlannedAllocator;  // tensors may be freed after static objects
        c10::SetCPUAllocator(ours);
        return c10::GetCPUAllocator() == ours;
    }();
    return installed;
}

}  // namespace

MemoryPlan::MemoryPlan() : state_(std::make_unique<State>()) {
    if (!install()) state_->mode = State::Mode::kOff;
}
MemoryPlan::~MemoryPlan() = default;
MemoryPlan::MemoryPlan(MemoryPlan&&) noexcept = default;
MemoryPlan& MemoryPlan::operator=(MemoryPlan&&) noexcept = default;

MemoryPlan::Run::Run(MemoryPlan& plan) : plan_(plan) {
    if (active != nullptr || plan.state_->mode == State::Mode::kOff) return;
    plan.state_->begin();
    active = plan.state_.get();
    active_ = true;
}

MemoryPlan::Run::~Run() {
    if (!active_) return;
    active = nullptr;
    plan_.state_->end();
}

OwnPagesScope::OwnPagesScope() { own_pages += install() ? 1 : 0; }
OwnPagesScope::~OwnPagesScope() { own_pages -= install() ? 1 : 0; }

std::size_t MemoryPlan::bytes() const { return state_->bytes; }
int MemoryPlan::departures() const { return state_->departures; }

}  // namespace esper::graph
