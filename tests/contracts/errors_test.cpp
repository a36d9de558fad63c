#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "contracts/sample_types.h"
#include "esper/base/hash.h"
#include "esper/contracts/messages.h"
#include "esper/contracts/telemetry_record.h"
#include "esper/contracts/validators.h"

namespace esper::contracts {
namespace {

template <typename T>
Error error_of(Result<T> result) {
    return result ? Error("", "no error", -1, ErrorClass::kRuntime, "") : result.error();
}

/// A frame of AllocationCommand around a payload, with a checksum that fits.
std::string frame(std::string_view payload, std::uint8_t type = 51) {
    std::string out{static_cast<char>(kBinaryMagic), static_cast<char>(type), 1};
    out += payload;
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(out)));
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(crc >> shift);
    return out;
}
const std::string kBudget(8, '\0');

template <typename T>
Error json_error(std::string_view text) {
    return error_of(from_json<T>(text));
}
Error frame_error(std::string_view payload) {
    return error_of(from_binary<AllocationCommand>(frame(payload)));
}

const std::string kAllocation = R"({"target_domain_id":"d","atp_budget_allocation":1})";

const std::map<ContractError, std::function<Error()>> kTriggers = {
    {ContractError::kSyntax, [] { return json_error<AllocationCommand>("{,}"); }},
    {ContractError::kUnknownField, [] { return json_error<AdaptationSignal>(R"({"x":1})"); }},
    {ContractError::kMissingField, [] { return json_error<AllocationCommand>("{}"); }},
    {ContractError::kDuplicateField,
     [] { return json_error<AdaptationSignal>(R"({"reason":"a","reason":"b"})"); }},
    {ContractError::kWrongType, [] { return json_error<AdaptationSignal>(R"({"reason":1})"); }},
    {ContractError::kOutOfRange, [] { return json_error<KernelQuery>(R"({"limit":0})"); }},
    {ContractError::kBadFormat, [] { return json_error<KernelQuery>(R"({"blueprint_id":" x"})"); }},
    {ContractError::kUnknownValue,
     [] {
         return json_error<HardwareContext>(R"({"device_type":"tpu","memory_available_gb":1})");
     }},
    {ContractError::kInconsistent,
     [] { return json_error<KernelQuery>(R"({"required_tags":["a"],"excluded_tags":["a"]})"); }},
    {ContractError::kBadText, [] { return json_error<AdaptationSignal>("{\"reason\":\"\xff\"}"); }},
    {ContractError::kTooDeep,
     [] { return error_of(JsonText::parse(std::string(65, '[') + std::string(65, ']'))); }},
    {ContractError::kTooLarge,
     [] { return error_of(JsonText::parse(std::string((64u << 20) + 1, ' '))); }},
    {ContractError::kTruncated, [] { return frame_error(std::string("\x01") + "d"); }},
    {ContractError::kTrailingBytes,
     [] { return json_error<AllocationCommand>(kAllocation + " 1"); }},
    {ContractError::kNotCanonical,
     [] { return frame_error(std::string("\x81\x00", 2) + "d" + kBudget + '\0'); }},
    {ContractError::kWrongSchema,
     [] { return json_error<AllocationCommand>(R"({"schema":"EpochEvent/1"})"); }},
    {ContractError::kUnknownVersion,
     [] { return json_error<AllocationCommand>(R"({"schema":"AllocationCommand/9"})"); }},
    {ContractError::kChecksumMismatch,
     [] {
         std::string bytes = frame(
             "\x01"
             "d" +
             kBudget + '\0');
         bytes[4] = 'e';
         return error_of(from_binary<AllocationCommand>(bytes));
     }},
    {ContractError::kIllegalTransition,
     [] {
         return error_of(check_transition(BlueprintStatus::kUnvalidated, BlueprintStatus::kCompiled,
                                          ComponentType::kTezzeret));
     }},
    {ContractError::kWrongRole,
     [] { return error_of(check_command(AdaptationCommand::kRollback, ComponentType::kTamiyo)); }},
    {ContractError::kNotRepresentable, nullptr},  // versions_test.cpp: needs a second version
};

TEST(ContractErrors, EveryValueIsReached) {
    for (const ContractError code : esper_all_errors(ContractError{})) {
        ASSERT_TRUE(kTriggers.contains(code)) << esper_error_name(code);
        if (!kTriggers.at(code)) continue;
        const Error e = kTriggers.at(code)();
        EXPECT_TRUE(e.is(code)) << esper_error_name(code) << " but " << e.to_string();
    }
}

TEST(ContractErrors, SayWhereAndWhatWasExpected) {
    const Error e = json_error<SystemStatePacket>(
        "{\"current_epoch\": 1,\n \"hardware_context\": {\"device_type\": \"cpu\",\n"
        "   \"memory_available_gb\": -2}}");
    EXPECT_EQ(e.message(),
              "SystemStatePacket.hardware_context.memory_available_gb: expected at least 0, got -2 "
              "(line 3, column 27)");
    EXPECT_NE(
        json_error<AdaptationSignal>(R"({"raeson":""})").message().find("did you mean 'reason'"),
        std::string::npos);
    EXPECT_NE(json_error<KernelQuery>(R"({"required_tags":["ok",""]})")
                  .message()
                  .find("required_tags[1]: expected 1 to 64 bytes"),
              std::string::npos);
}

TEST(JsonReader, RefusesWhatIsNotQuiteJson) {
    const std::pair<const char*, ContractError> cases[] = {
        {"", ContractError::kTruncated},
        {"[]", ContractError::kWrongType},
        {"{", ContractError::kTruncated},
        {R"({"reason")", ContractError::kTruncated},
        {R"({"reason":"a",})", ContractError::kSyntax},
        {R"({'reason':"a"})", ContractError::kSyntax},
        {R"({"reason":"a" "b":1})", ContractError::kSyntax},
        {"{\"reason\":\"a\nb\"}", ContractError::kSyntax},
        {R"({"reason":"\x"})", ContractError::kSyntax},
        {R"({"reason":"\u12g4"})", ContractError::kSyntax},
        {R"({"reason":"\ud800"})", ContractError::kBadText},
        {R"({"reason":"\ud800\u0041"})", ContractError::kBadText},
        {R"({"reason":"\udc00"})", ContractError::kBadText},
        {"{\"reason\":\"\xed\xa0\x80\"}", ContractError::kBadText},
        {"{\"reason\":\"\xc0\x80\"}", ContractError::kBadText},
        {"{\"reason\":\"\xf4\x90\x80\x80\"}", ContractError::kBadText},
        {"{\"reason\":\"\xe0\x80\x80\"}", ContractError::kBadText},
        {"{\"reason\":\"\xf0\x80\x80\x80\"}", ContractError::kBadText},
        {R"({"reason":"unterminated)", ContractError::kTruncated},
        {R"({"reason":"\)", ContractError::kTruncated},
        {R"({"optimizer_rebuild_required":1})", ContractError::kWrongType},
        {R"({"optimizer_rebuild_required":null})", ContractError::kWrongType},
        {R"({"schema":7})", ContractError::kWrongType},
        {R"({"schema":"AdaptationSignal"})", ContractError::kWrongSchema},
        {R"({"schema":"AdaptationSignal/1x"})", ContractError::kWrongSchema},
        {R"({"schema":"AdaptationSignal/0"})", ContractError::kUnknownVersion},
        {R"({"schema":"AdaptationSignal/1","schema":"AdaptationSignal/1"})",
         ContractError::kDuplicateField}};
    for (const auto& [text, code] : cases) {
        const Error e = json_error<AdaptationSignal>(text);
        EXPECT_TRUE(e.is(code)) << text << ": " << e.to_string();
    }
}

TEST(JsonReader, TakesAWholeNumberHoweverItIsWritten) {
    const auto limit = [](const char* value) {
        const auto query = from_json<KernelQuery>(
            std::string("{\"schema\":\"KernelQuery/1\",\"limit\":") + value + "}");
        return query ? std::to_string(query->limit) : query.error().to_string();
    };
    for (const char* hundred :
         {"100", "100.0", "1e2", "1E+2", "1.00e2", "0.1e3", "1000e-1", "10000.00e-2"})
        EXPECT_EQ(limit(hundred), "100") << hundred;
}

TEST(JsonReader, RefusesNumbersThatDoNotFit) {
    const auto with = [](const char* field, const char* value) {
        return json_error<KernelQuery>(std::string("{\"") + field + "\":" + value + "}");
    };
    EXPECT_TRUE(with("limit", "-1").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("limit", "4294967296").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("limit", "99999999999999999999999").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("limit", "1.5").is(ContractError::kWrongType));
    EXPECT_TRUE(with("limit", "10.50").is(ContractError::kWrongType));
    EXPECT_TRUE(with("limit", "15e-1").is(ContractError::kWrongType));
    EXPECT_TRUE(with("limit", "1e-99999999999").is(ContractError::kWrongType));
    EXPECT_TRUE(with("limit", "1e99").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("limit", "-2.0").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("limit", "01").is(ContractError::kSyntax));
    EXPECT_TRUE(with("limit", "-").is(ContractError::kSyntax));
    EXPECT_TRUE(with("limit", "\"5\"").is(ContractError::kWrongType));
    EXPECT_TRUE(with("max_latency_ms", "1e999").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("max_latency_ms", "1.").is(ContractError::kSyntax));
    EXPECT_TRUE(with("max_latency_ms", "1e").is(ContractError::kSyntax));
    EXPECT_TRUE(with("max_latency_ms", "[1]").is(ContractError::kWrongType));
    EXPECT_TRUE(with("input_shape", "{}").is(ContractError::kWrongType));
    EXPECT_TRUE(with("input_shape", "[1.5]").is(ContractError::kWrongType));
    EXPECT_TRUE(with("input_shape", "[99999999999999999999]").is(ContractError::kOutOfRange));
    EXPECT_TRUE(with("input_shape", "[1,]").is(ContractError::kWrongType));
    EXPECT_TRUE(with("input_shape", "[1 2]").is(ContractError::kSyntax));
}

TEST(JsonReader, TakesWhiteSpaceEscapesAndAnyOrder) {
    const auto read = from_json<AdaptationSignal>(
        " {\r\n\t\"reason\" : \"\\u00e9\\ud83d\\ude00\\n\\/\" , \"schema\":\"AdaptationSignal/1\" "
        ", "
        "\"optimizer_rebuild_required\" :true } ");
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(read->reason, "é😀\n/");
    EXPECT_TRUE(read->optimizer_rebuild_required);
    const auto query = from_json<KernelQuery>(R"({"max_latency_ms":null})");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->max_latency_ms, std::nullopt);
}

TEST(JsonReader, EscapesOfEveryWidthComeBack) {
    AdaptationSignal signal;
    signal.reason = "\r\n\t\b\f\"\\\x01 é € 😀";
    const std::string text = to_json(signal).value();
    EXPECT_NE(text.find("\\r\\n\\t\\u0008\\u000c\\\"\\\\\\u0001"), std::string::npos) << text;
    EXPECT_EQ(from_json<AdaptationSignal>(text).value().reason, signal.reason);
    const auto read = from_json<AdaptationSignal>(R"({"reason":"\u20AC\u20ac"})");
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(read->reason, "€€");
}

TEST(ContractErrors, TooManyBytesAreRefusedBeforeTheyAreRead) {
    const std::string large((std::size_t{64} << 20) + 1, ' ');
    const Error json = error_of(from_json<AdaptationSignal>(large));
    EXPECT_TRUE(json.is(ContractError::kTooLarge)) << json.to_string();
    EXPECT_EQ(json.message(), "AdaptationSignal: expected at most 67108864 bytes, got 67108865");
    const Error binary = error_of(from_binary<AdaptationSignal>(large));
    EXPECT_TRUE(binary.is(ContractError::kTooLarge)) << binary.to_string();
}

TEST(ContractErrors, SayWhichFormWasExpected) {
    const auto expect = [](const Error& e, const char* what) {
        EXPECT_TRUE(e.is(ContractError::kBadFormat)) << e.to_string();
        EXPECT_NE(e.message().find(what), std::string::npos) << e.message();
    };
    expect(json_error<OonaMessage>(R"({"event_id":"no"})"), "a UUID in lower case");
    expect(json_error<Blueprint>(R"({"blueprint_id":"ABC"})"),
           "a SHA-256 as 64 lower-case hex digits");
    expect(json_error<Blueprint>(R"({"architecture_ref":"nowhere"})"),
           "a URI such as s3://bucket/key");
    expect(json_error<CompiledKernelArtifact>(R"({"signature":"abc"})"),
           "an even number of lower-case hex digits");
    expect(json_error<KernelQuery>(R"({"blueprint_id":" x"})"),
           "an id (no control characters, no space at either end)");
}

TEST(ContractErrors, AnAnswerHoldsNoMoreThanItSaysItFound) {
    const Error e = json_error<KernelQueryResult>(
        R"({"matching_kernels":[{"blueprint_id":"b","kernel_artifact_id":"k",)"
        R"("status":"VALIDATED","score":1}],"total_matches":0})");
    EXPECT_TRUE(e.is(ContractError::kInconsistent)) << e.to_string();
    EXPECT_NE(e.message().find("1 kernels, but total_matches says 0"), std::string::npos);
}

TEST(JsonReader, RefusesDamagedMapsAndTimes) {
    const std::string start =
        R"({"cache":"c","entries":1,"bytes":1,"hits":1,"misses":1,"evictions":0,)";
    const auto error = [&](const char* rest) {
        return json_error<CacheTelemetry>(start + rest + "}");
    };
    EXPECT_TRUE(error(R"("misses_by_cause":{"a":1,"a":2})").is(ContractError::kDuplicateField));
    EXPECT_TRUE(error(R"("misses_by_cause":{"a":-1})").is(ContractError::kOutOfRange));
    EXPECT_TRUE(error(R"("misses_by_cause":{"a" 1})").is(ContractError::kSyntax));
    EXPECT_TRUE(error(R"("misses_by_cause":{"a":1 "b":2})").is(ContractError::kSyntax));
    EXPECT_TRUE(error(R"("misses_by_cause":[])").is(ContractError::kWrongType));
    EXPECT_TRUE(error(R"("timestamp":"yesterday")").is(ContractError::kBadFormat));
    EXPECT_TRUE(error(R"("timestamp":5)").is(ContractError::kWrongType));
}

TEST(FreeJson, IsKeptCompactAndRefusesDoubledKeysAndGarbage) {
    EXPECT_EQ(
        JsonText::parse(" { \"b\" : [ 1.50 , true , null , \"\\u0041\" ] , \"a\":{}} ")->text(),
        R"({"b":[1.50,true,null,"\u0041"],"a":{}})");
    EXPECT_TRUE(
        error_of(JsonText::parse(R"({"a":1,"\u0061":2})")).is(ContractError::kDuplicateField));
    EXPECT_TRUE(error_of(JsonText::parse("nul")).is(ContractError::kSyntax));
    EXPECT_TRUE(error_of(JsonText::parse("{1:2}")).is(ContractError::kSyntax));
    EXPECT_TRUE(error_of(JsonText::parse("[1 2]")).is(ContractError::kSyntax));
    EXPECT_TRUE(error_of(JsonText::parse("{\"a\":1 \"b\"}")).is(ContractError::kSyntax));
    EXPECT_TRUE(json_error<OonaMessage>(R"({"payload":[]})").is(ContractError::kWrongType));
}

TEST(BinaryReader, RefusesBytesThatOurWriterWouldNotWrite) {
    const auto ok =
        from_binary<AllocationCommand>(frame("\x01"
                                             "d" +
                                             kBudget + '\0'));
    ASSERT_TRUE(ok) << ok.error().to_string();
    EXPECT_TRUE(frame_error("\x01"
                            "d" +
                            kBudget + '\x02')
                    .is(ContractError::kNotCanonical));
    EXPECT_TRUE(frame_error("\x01"
                            "d" +
                            kBudget + std::string(2, '\0'))
                    .is(ContractError::kTrailingBytes));
    EXPECT_TRUE(frame_error("\x01\xff" + kBudget + '\0').is(ContractError::kBadText));
    EXPECT_TRUE(frame_error(std::string(11, '\xff')).is(ContractError::kNotCanonical));
    std::string infinite(
        "\x01"
        "d\0\0\0\0\0\0\xf0\x7f\0",
        11);
    EXPECT_TRUE(frame_error(infinite).is(ContractError::kOutOfRange));
    EXPECT_TRUE(error_of(from_binary<AllocationCommand>("")).is(ContractError::kTruncated));
    EXPECT_TRUE(error_of(from_binary<AllocationCommand>("{\"a\":12}")).is(ContractError::kSyntax));
    EXPECT_TRUE(error_of(from_binary<EpochEvent>(frame(""))).is(ContractError::kWrongSchema));
    std::string newer = frame("");
    newer[2] = 9;
    newer.resize(3);
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(newer)));
    for (int shift = 0; shift < 32; shift += 8) newer += static_cast<char>(crc >> shift);
    EXPECT_TRUE(error_of(from_binary<AllocationCommand>(newer)).is(ContractError::kUnknownVersion));
}

TEST(Writers, RefuseValuesThatBreakTheirRules) {
    AllocationCommand c{.target_domain_id = "d", .atp_budget_allocation = 1};
    c.atp_budget_allocation = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(error_of(to_json(c)).is(ContractError::kOutOfRange));
    EXPECT_TRUE(error_of(to_binary(c)).is(ContractError::kOutOfRange));
    c = {.target_domain_id = "\xff", .atp_budget_allocation = 1};
    EXPECT_TRUE(error_of(to_json(c)).is(ContractError::kBadText));
    EXPECT_FALSE(check(c));
    HardwareContext h{.device_type = static_cast<DeviceType>(9), .memory_available_gb = 1};
    EXPECT_TRUE(error_of(to_binary(h)).is(ContractError::kUnknownValue));
    CacheTelemetry t{.cache = "c", .misses_by_cause = {{"\xff", 1}}};
    EXPECT_TRUE(error_of(to_json(t)).is(ContractError::kBadText));
    EXPECT_TRUE(error_of(to_json(AllocationCommand{}, 7)).is(ContractError::kUnknownVersion));
    KernelQueryResult r{.matching_kernels = {}, .total_matches = 0};
    r.matching_kernels.resize(1001);
    EXPECT_TRUE(error_of(to_json(r)).is(ContractError::kOutOfRange));
}

TEST(TelemetryRecords, RefuseEveryKindOfDamage) {
    std::array<std::byte, kTelemetryBytes> good{};
    encode(TelemetryRecord{}, good);
    ASSERT_TRUE(decode_telemetry(good));
    const auto damaged = [](auto change) {
        TelemetryRecord r;
        change(r);
        std::array<std::byte, kTelemetryBytes> bytes{};
        encode(r, bytes);
        return error_of(decode_telemetry(bytes));
    };
    EXPECT_TRUE(damaged([](auto& r) { r.magic = 1; }).is(ContractError::kSyntax));
    EXPECT_TRUE(damaged([](auto& r) { r.version = 2; }).is(ContractError::kUnknownVersion));
    EXPECT_TRUE(damaged([](auto& r) {
                    r.state = static_cast<SeedState>(77);
                }).is(ContractError::kUnknownValue));
    EXPECT_TRUE(damaged([](auto& r) { r.health_score = 1.5F; }).is(ContractError::kOutOfRange));
    EXPECT_TRUE(damaged([](auto& r) { r.alpha = kUnmeasured; }).is(ContractError::kOutOfRange));
    EXPECT_TRUE(
        error_of(decode_telemetry(std::span(good).first(127))).is(ContractError::kTruncated));
    std::array<std::byte, kTelemetryBytes + 1> longer{};
    EXPECT_TRUE(error_of(decode_telemetry(longer)).is(ContractError::kTrailingBytes));
    for (std::size_t bit = 0; bit < kTelemetryBytes * 8; ++bit) {
        auto flipped = good;
        flipped[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
        EXPECT_FALSE(decode_telemetry(flipped)) << bit;
    }
}

}  // namespace
}  // namespace esper::contracts
