#include <algorithm>
#include <functional>

#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

using Ids = Results;
using Rule = std::function<Result<Ids>(Writer&, const Call&)>;

const double* real(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant == nullptr ? nullptr : std::get_if<double>(constant);
}
/// The number of a constant argument, integer or not.
std::optional<double> number(const Argument& argument) {
    if (const auto* value = real(argument)) return *value;
    const auto* constant = std::get_if<Constant>(&argument);
    if (constant == nullptr) return std::nullopt;
    const auto* integer = std::get_if<std::int64_t>(constant);
    return integer == nullptr ? std::nullopt : std::optional(static_cast<double>(*integer));
}
bool is_false(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant != nullptr && *constant == Constant{false};
}
tl::unexpected<Error> no_form(const Call& call, const std::string& why) {
    return fail(ImportError::kUnsupported,
                call.op +
                    " draws random numbers in a way that cannot be repeated after a resume (" +
                    why + ")");
}

Result<ValueId> mask(Writer& w, const Argument& like, double p) {
    return w.call("esper::dropout_mask",
                  {like, Constant{p}, w.next_site(), w.random_step(), Constant{TrainingFlag{}}});
}

// (input, p, train). A whole dropout is left out where it drops nothing.
Result<Ids> dropout_of(Writer& w, const Call& call, bool whole_features, bool in_place) {
    const auto& x = std::get<ValueId>(call.args.at(0));
    const auto* p = real(call.args.at(1));
    if (p == nullptr || !(*p >= 0 && *p <= 1)) return no_form(call, "its share is not a number");
    if (is_false(call.args.at(2)) || *p == 0) return Ids{x};
    w.saw_training_flag = true;
    auto like = x;
    if (whole_features) {
        const auto type = w.type(x);
        if (!type) return no_form(call, "its input's rank is not known");
        for (std::size_t d = 2; d < type->shape.size(); ++d) {
            ESPER_TRY(like, w.call("aten::narrow",
                                   {like, Constant{static_cast<std::int64_t>(d)},
                                    Constant{std::int64_t{0}}, Constant{std::int64_t{1}}}));
        }
    }
    ESPER_TRY(const auto drawn, mask(w, like, *p));
    ESPER_TRY(const auto y,
              w.call(in_place ? "aten::mul_.Tensor" : "aten::mul.Tensor", {x, drawn}));
    return Ids{y};
}

// (query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa): the same attention with
// its weights at hand, so that they can be dropped.
Result<Ids> attention(Writer& w, const Call& call) {
    const auto& a = call.args;
    const auto* p = real(a.at(4));
    if (p == nullptr) return no_form(call, "its share is not a number");
    if (a.at(7) != Argument(Constant{false}))
        return no_form(call, "dropout together with grouped queries");
    w.saw_training_flag = true;
    ESPER_TRY(const auto pair,
              w.call("aten::_scaled_dot_product_attention_math",
                     {a[0], a[1], a[2], a[3], Constant{0.0}, a[5], Constant{}, a[6], a[7]}, 2));
    ESPER_TRY(const auto drawn, mask(w, pair[1], *p));
    ESPER_TRY(const auto weights, w.call("aten::mul.Tensor", {pair[1], drawn}));
    ESPER_TRY(const auto y, w.call("aten::matmul", {weights, a[2]}));
    return Ids{y};
}

Result<ValueId> uniform(Writer& w, const Argument& like) {
    return w.call("esper::uniform", {like, w.next_site(), w.random_step()});
}
Result<ValueId> normal(Writer& w, const Argument& like) {
    return w.call("esper::normal", {like, w.next_site(), w.random_step()});
}
Result<ValueId> scaled(Writer& w, ValueId drawn, const Argument& times, const Argument& plus) {
    ESPER_TRY(const auto wide, w.call("aten::mul.Scalar", {drawn, times}));
    return w.call("aten::add.Scalar", {wide, plus});
}
// What was drawn, written over the first argument.
Result<Ids> over(Writer& w, const Call& call, ValueId drawn) {
    ESPER_TRY(const auto y, w.call("aten::copy_", {call.args.at(0), drawn}));
    return Ids{y};
}

Result<ValueId> coins(Writer& w, const Call& call, const Argument& like, const Argument& share) {
    const auto p = number(share);
    if (!p || !(*p >= 0 && *p <= 1)) return no_form(call, "its share is not a number");
    w.saw_training_flag = true;
    return w.call("esper::bernoulli",
                  {like, Constant{*p}, w.next_site(), w.random_step(), Constant{TrainingFlag{}}});
}

/// What computed a value, if an instruction did.
const Instruction* maker(const Writer& w, const Argument& value) {
    const auto* id = std::get_if<ValueId>(&value);
    if (id == nullptr) return nullptr;
    const auto& all = w.parts.instructions;
    const auto it = std::find_if(all.rbegin(), all.rend(), [&](const Instruction& made) {
        return std::find(made.results.begin(), made.results.end(), *id) != made.results.end();
    });
    return it == all.rend() ? nullptr : &*it;
}

// ⌊p + u⌋ of a uniform u, the other way to write coins; nothing for any other ⌊x⌋.
Result<std::optional<ValueId>> floored_coins(Writer& w, const Call& call) {
    const auto* sum = maker(w, call.args.at(0));
    if (sum == nullptr || !sum->op.starts_with("aten::add.")) return std::nullopt;
    for (const std::size_t i : {0u, 1u}) {
        const auto* drawn = maker(w, sum->args.at(i));
        const auto share = number(sum->args.at(1 - i));
        if (drawn == nullptr || drawn->op != "esper::uniform" || !share) continue;
        if (!(*share >= 0 && *share <= 1)) continue;
        const Argument like = drawn->args.at(0);
        ESPER_TRY(const auto y, coins(w, call, like, Constant{*share}));
        return y;
    }
    return std::nullopt;
}

// (…, dtype, layout, device, pin_memory) from `at` on, as an empty tensor takes them.
Result<ValueId> empty_like_factory(Writer& w, const Call& call, std::size_t at) {
    return w.call("aten::empty.memory_format",
                  {call.args.at(0), call.args.at(at), Constant{}, Constant{}, Constant{}});
}

const std::map<std::string, Rule, std::less<>>& rules() {
    static const std::map<std::string, Rule, std::less<>> table{
        {"aten::dropout", [](Writer& w, const Call& c) { return dropout_of(w, c, false, false); }},
        {"aten::dropout_", [](Writer& w, const Call& c) { return dropout_of(w, c, false, true); }},
        {"aten::feature_dropout",
         [](Writer& w, const Call& c) { return dropout_of(w, c, true, false); }},
        {"aten::feature_dropout_",
         [](Writer& w, const Call& c) { return dropout_of(w, c, true, true); }},
        {"aten::native_dropout",
         [](Writer& w, const Call& c) -> Result<Ids> {
             const auto* p = real(c.args.at(1));
             if (p == nullptr) return no_form(c, "its share is not a number");
             w.saw_training_flag = true;
             ESPER_TRY(const auto drawn, mask(w, c.args.at(0), *p));
             ESPER_TRY(const auto y, w.call("aten::mul.Tensor", {c.args.at(0), drawn}));
             ESPER_TRY(const auto kept, w.call("aten::gt.Scalar", {drawn, Constant{0.0}}));
             return Ids{y, kept};
         }},
        {"aten::scaled_dot_product_attention", attention},
        {"aten::bernoulli_.float",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto drawn, coins(w, c, c.args.at(0), c.args.at(1)));
             return over(w, c, drawn);
         }},
        {"aten::bernoulli.p",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto drawn, coins(w, c, c.args.at(0), c.args.at(1)));
             return Ids{drawn};
         }},
        {"aten::bernoulli",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto drawn, uniform(w, c.args.at(0)));
             ESPER_TRY(const auto below, w.call("aten::lt.Tensor", {drawn, c.args.at(0)}));
             ESPER_TRY(const auto y, w.call("aten::type_as", {below, c.args.at(0)}));
             return Ids{y};
         }},
        {"aten::uniform_",
         [](Writer& w, const Call& c) -> Result<Ids> {
             const auto from = number(c.args.at(1));
             const auto to = number(c.args.at(2));
             if (!from || !to) return no_form(c, "its bounds are not numbers");
             ESPER_TRY(const auto drawn, uniform(w, c.args.at(0)));
             ESPER_TRY(const auto y, scaled(w, drawn, Constant{*to - *from}, Constant{*from}));
             return over(w, c, y);
         }},
        {"aten::normal_",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto drawn, normal(w, c.args.at(0)));
             ESPER_TRY(const auto y, scaled(w, drawn, c.args.at(2), c.args.at(1)));
             return over(w, c, y);
         }},
        {"aten::exponential_",
         [](Writer& w, const Call& c) -> Result<Ids> {
             const auto rate = number(c.args.at(1));
             if (!rate || !(*rate > 0)) return no_form(c, "its rate is not a number");
             ESPER_TRY(const auto drawn, uniform(w, c.args.at(0)));
             ESPER_TRY(const auto below, w.call("aten::neg", {drawn}));
             ESPER_TRY(const auto log, w.call("aten::log1p", {below}));
             ESPER_TRY(const auto y, w.call("aten::mul.Scalar", {log, Constant{-1.0 / *rate}}));
             return over(w, c, y);
         }},
        {"aten::rand_like",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto y, uniform(w, c.args.at(0)));
             return Ids{y};
         }},
        {"aten::randn_like",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto y, normal(w, c.args.at(0)));
             return Ids{y};
         }},
        {"aten::rand",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto like, empty_like_factory(w, c, 1));
             ESPER_TRY(const auto y, uniform(w, like));
             return Ids{y};
         }},
        {"aten::randn",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto like, empty_like_factory(w, c, 1));
             ESPER_TRY(const auto y, normal(w, like));
             return Ids{y};
         }},
        {"aten::randperm",
         [](Writer& w, const Call& c) -> Result<Ids> {
             ESPER_TRY(const auto row,
                       w.call("aten::arange", {c.args.at(0), Constant{DType::kFloat32}}));
             ESPER_TRY(const auto drawn, uniform(w, row));
             ESPER_TRY(const auto y, w.call("aten::argsort", {drawn}));
             return Ids{y};
         }},
    };
    return table;
}

// Draw, but in no form known here.
constexpr std::string_view kOthers[] = {"aten::alpha_dropout",
                                        "aten::alpha_dropout_",
                                        "aten::feature_alpha_dropout",
                                        "aten::feature_alpha_dropout_",
                                        "aten::bernoulli_.Tensor",
                                        "aten::multinomial",
                                        "aten::randint",
                                        "aten::randint_like",
                                        "aten::random_",
                                        "aten::rrelu",
                                        "aten::rrelu_",
                                        "aten::rrelu_with_noise",
                                        "aten::poisson",
                                        "aten::binomial",
                                        "aten::cauchy_",
                                        "aten::geometric_",
                                        "aten::log_normal_",
                                        "aten::normal"};

bool is_one_of_the_others(std::string_view op) {
    return std::any_of(std::begin(kOthers), std::end(kOthers), [&](std::string_view other) {
        return op.starts_with(other) && (op.size() == other.size() || op[other.size()] == '.');
    });
}

bool is_floor(std::string_view op) { return op == "aten::floor" || op == "aten::floor_"; }

bool is_recurrent(std::string_view op) {
    constexpr std::string_view kRecurrent[] = {"aten::lstm.input", "aten::gru.input",
                                               "aten::rnn_tanh.input", "aten::rnn_relu.input"};
    return std::find(std::begin(kRecurrent), std::end(kRecurrent), op) != std::end(kRecurrent);
}

// (input, hx, params, has_biases, num_layers, dropout, train, …)
bool drops_between_layers(const Call& call) {
    return is_recurrent(call.op) && call.args.at(5) != Argument(Constant{0.0}) &&
           !is_false(call.args.at(6)) && call.args.at(4) != Argument(Constant{std::int64_t{1}});
}

bool drops_nothing(const Call& call) {
    // Attention's own dropout is off more often than on.
    return call.op == "aten::scaled_dot_product_attention" &&
           call.args.at(4) == Argument(Constant{0.0});
}

bool drops_by_alpha(std::string_view op) {
    return op.starts_with("aten::alpha_dropout") || op.starts_with("aten::feature_alpha");
}

// (…, bool train): an operator that only draws while training.
bool is_asleep(const Call& call) {
    if (!drops_by_alpha(call.op)) return false;
    return is_false(call.args.at(2)) || number(call.args.at(1)) == 0.0;
}

}  // namespace

bool has_random_rule(std::string_view op) {
    return rules().contains(op) || is_one_of_the_others(op);
}

bool may_draw(std::string_view op) {
    return has_random_rule(op) || is_recurrent(op) || drops_by_alpha(op) || is_floor(op);
}

Result<std::optional<Results>> write_random_call(Writer& writer, const Call& call) {
    using Written = std::optional<Results>;
    if (drops_nothing(call)) return Written{};
    if (drops_between_layers(call)) return no_form(call, "dropout between its layers");
    if (is_floor(call.op)) {
        ESPER_TRY(const auto drawn, floored_coins(writer, call));
        if (!drawn) return Written{};
        if (call.op == "aten::floor") return Written{{*drawn}};
        ESPER_TRY(auto ids, over(writer, call, *drawn));
        return Written{std::move(ids)};
    }
    const auto rule = rules().find(call.op);
    if (rule != rules().end()) {
        ESPER_TRY(auto ids, rule->second(writer, call));
        return Written{std::move(ids)};
    }
    if (is_asleep(call)) return Written{{std::get<ValueId>(call.args.at(0))}};
    if (is_one_of_the_others(call.op)) return no_form(call, "no counter-based form of it is known");
    return Written{};
}

}  // namespace esper::graph::importing
