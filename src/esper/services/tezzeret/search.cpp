#include "esper/services/tezzeret/search.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "esper/engine/branch_kernel.h"
#include "esper/services/tezzeret/emit_cpp.h"

namespace esper::tezzeret {

using urabrask::Named;
using urabrask::ShapeSpeed;
using Clock = std::chrono::steady_clock;

namespace {

// Of the comparison that decides.
constexpr int kLastRounds = 101;
constexpr double kLastSeconds = 4;

constexpr std::array<const char*, 3> kLevels{"-O2", "-O3", "-O1"};
constexpr std::array<std::int64_t, 4> kHeights{48, 96, 192, 288};
constexpr std::array<int, 3> kPanels{64, 48, 32};

/// One way to write and to compile a kernel, as the number of the choice in each dimension.
enum Dimension : std::size_t {
    kCompiler,
    kLevel,
    kHeight,
    kPanel,
    kSaves,
    kLoops,
    kUnrolled,
    kVectors,
    kDimensions
};
using Variant = std::array<std::size_t, kDimensions>;

struct Built {
    Variant variant{};
    Named kernel;
    Compiled compiled;
    urabrask::Findings findings;
};

/// Processor time of the compilers and trials of this process that have ended.
double seconds_of_children() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Search {
  public:
    Search(const Order& order, const TargetIsa& isa, const std::vector<Compiler>& compilers)
        : order_(order), isa_(isa), compilers_(compilers) {}

    Forged run() {
        made_.isa = isa_.name;
        if (!order_.best_known || order_.shapes.empty())
            return end(Forged::Status::kFailed,
                       "an aggressive search needs the best kernel that is known, and a shape");
        auto tiles = lower_branch(order_.branch, order_.precision, tokens_of(order_));
        if (!tiles) return end(status_of(tiles.error()), tiles.error().message());
        tiles_ = std::move(*tiles);
        auto best = first();
        if (!best)
            return end(best.error().is(urabrask::UrabraskError::kWrong) ? Forged::Status::kWrong
                                                                        : Forged::Status::kFailed,
                       best.error().message());
        while (improve(*best) && has_time()) {
        }
        return judge(std::move(*best));
    }

  private:
    Forged end(Forged::Status status, std::string why) {
        made_.status = status;
        made_.why = std::move(why);
        made_.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
        return std::move(made_);
    }

    bool has_time() const { return seconds_of_children() - before_ < order_.search_seconds; }

    bool is_whole() const { return tiles_.image_height > 0 || tiles_.sequence > 0; }

    std::size_t choices(std::size_t dimension) const {
        const bool wide = isa_.name.starts_with("avx512");
        switch (dimension) {
            case kCompiler:
                return compilers_.size();
            case kLevel:
                return kLevels.size();
            case kHeight:
                return is_whole() ? 1 : kHeights.size();
            case kPanel:
                return wide ? kPanels.size() : 1;
            case kVectors:
                return wide ? 2 : 1;
            default:
                return 2;
        }
    }

    /// What kFast makes.
    Variant usual() const {
        Variant variant{};
        const auto height = std::ranges::find(kHeights, usual_tile_rows(*order_.branch));
        if (!is_whole() && height != kHeights.end())
            variant[kHeight] = static_cast<std::size_t>(height - kHeights.begin());
        return variant;
    }

    EmitOptions options_of(const Variant& variant) const {
        EmitOptions options;
        options.bf16 = order_.precision == graph::Precision::kBFloat16;
        options.tile_rows = kHeights[variant[kHeight]];
        if (variant[kPanel] > 0) options.panel = kPanels[variant[kPanel]];
        options.saves = variant[kSaves] == 0;
        options.shares_loops = variant[kLoops] == 0;
        return options;
    }

    // All of them keep the result the same for the same source: no profile is read, nothing is
    // linked that was compiled apart, and -ffast-math is not among them.
    Optimisation flags_of(const Variant& variant) const {
        Optimisation flags{kLevels[variant[kLevel]]};
        if (variant[kUnrolled] > 0) flags.emplace_back("-funroll-loops");
        return flags;
    }

    TargetIsa isa_of(const Variant& variant) const {
        auto isa = isa_;
        // The last one counts.
        if (variant[kVectors] > 0) isa.flags.emplace_back("-mprefer-vector-width=256");
        return isa;
    }

    /// Errors: those of emit_cpp and compile, and kCompileFailed for bytes that were tried before.
    Result<Built> build(const Variant& variant) {
        ESPER_TRY(const auto source, emit_cpp(tiles_, options_of(variant)));
        const auto& compiler = compilers_[variant[kCompiler]];
        const auto isa = isa_of(variant);
        const auto flags = flags_of(variant);
        Built built;
        built.variant = variant;
        ESPER_TRY(built.compiled, compile(compiler, isa, source, flags, order_.least_sandbox));
        made_.compile_seconds += built.compiled.cpu_seconds;
        ++compiled_;
        built.kernel = {artifact_id(source, compiler, isa, flags, order_.pipeline),
                        built.compiled.object};
        if (!objects_.insert(built.kernel.object).second)
            return fail(TezzeretError::kCompileFailed, "another variant has the same bytes");
        return built;
    }

    /// Error: kWrong where it is not what the interpreter computes.
    Status try_all_of(Built& built) {
        ESPER_TRY(built.findings,
                  urabrask::try_kernel(trial(), built.kernel.id, built.kernel.object));
        return built.findings.verdict();
    }

    urabrask::Trial trial() const { return {order_.branch, order_.precision, order_.shapes}; }

    Result<Built> first() {
        tried_.insert(usual());
        ESPER_TRY(auto built, build(usual()));
        ESPER_CHECK_STATUS(try_all_of(built));
        return built;
    }

    static bool is_faster(const std::vector<ShapeSpeed>& speeds) {
        return std::ranges::all_of(speeds, [](const auto& s) { return s.times.low > 1; });
    }

    // Small gains add up, and judge() asks for proof of their sum.
    static bool seems_faster(const std::vector<ShapeSpeed>& speeds) {
        constexpr double kLeast = 1.005;
        return std::ranges::all_of(speeds, [](const auto& s) { return s.times.ratio > kLeast; });
    }

    /// One round of changes, each of one choice; whether any stayed.
    bool improve(Built& best) {
        bool improved = false;
        for (std::size_t d = 0; d < kDimensions; ++d)
            for (std::size_t choice = 0; choice < choices(d) && has_time(); ++choice) {
                auto variant = best.variant;
                variant[d] = choice;
                if (!tried_.insert(variant).second) continue;
                // A compiler that fails, or a kernel that is wrong, is an attempt that failed.
                auto built = build(variant);
                if (!built) continue;
                const auto speeds = urabrask::compare_kernels(trial(), built->kernel, best.kernel);
                if (!speeds) continue;
                if (!seems_faster(*speeds) || !try_all_of(*built)) continue;
                best = std::move(*built);
                improved = true;
            }
        return improved;
    }

    Forged judge(Built best) {
        made_.variants = compiled_;
        const auto& known = *order_.best_known;
        if (best.kernel.object == known.object)
            return end(Forged::Status::kNoGain,
                       fmt::format("of {} variants none beats {}", compiled_, known.id));
        auto last = trial();
        last.rounds = kLastRounds;
        last.seconds_per_shape = kLastSeconds;
        auto speeds = urabrask::compare_kernels(last, best.kernel, known);
        if (!speeds) return end(Forged::Status::kFailed, speeds.error().message());
        made_.against_known = std::move(*speeds);
        const auto& slowest = *std::ranges::min_element(made_.against_known, {},
                                                        [](const auto& s) { return s.times.low; });
        const auto ratio = fmt::format("{:.3f} [{:.3f}, {:.3f}]", slowest.times.ratio,
                                       slowest.times.low, slowest.times.high);
        if (!is_faster(made_.against_known))
            return end(Forged::Status::kNoGain,
                       fmt::format("the best of {} variants has {} times the speed of {}",
                                   compiled_, ratio, known.id));
        made_.id = best.kernel.id;
        made_.object = std::move(best.kernel.object);
        made_.compiler = compilers_[best.variant[kCompiler]].version;
        made_.flags = std::move(best.compiled.flags);
        made_.sandbox = best.compiled.sandbox;
        made_.findings = std::move(best.findings);
        return end(Forged::Status::kValidated, "");
    }

    const Order& order_;
    const TargetIsa& isa_;
    const std::vector<Compiler>& compilers_;
    const Clock::time_point begin_ = Clock::now();
    TileGraph tiles_;
    std::set<Variant> tried_;
    std::set<std::string> objects_;
    const double before_ = seconds_of_children();
    int compiled_ = 0;
    Forged made_;
};

}  // namespace

Forged search(const Order& order, const TargetIsa& isa, const std::vector<Compiler>& compilers) {
    return Search(order, isa, compilers).run();
}

}  // namespace esper::tezzeret
