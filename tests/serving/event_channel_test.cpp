#include "esper/services/serving/event_channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace esper::serving {
namespace {

constexpr std::size_t kAll = 1 << 20;
const auto kNoWake = [] {};

std::shared_ptr<EventChannel> channel_of(EventChannel::Bounds bounds = {}) {
    return std::make_shared<EventChannel>("c", bounds);
}

TEST(EventChannelTest, AReaderGetsAHelloAndThenWhatIsPublishedInOrder) {
    const auto channel = channel_of();
    channel->publish("run", "before");
    const auto reader = channel->read_from("", kNoWake);
    EXPECT_EQ(reader->take(kAll), "id: c-1\nevent: hello\ndata: {}\n\n");
    EXPECT_EQ(reader->take(kAll), "");
    channel->publish("run", "{\"a\":1}");
    channel->publish("gone", "2");
    EXPECT_EQ(reader->take(kAll),
              "id: c-2\nevent: run\ndata: {\"a\":1}\n\nid: c-3\nevent: gone\ndata: 2\n\n");
    EXPECT_EQ(reader->take(kAll), "");
}

TEST(EventChannelTest, AReaderThatComesBackGetsWhatItMissed) {
    const auto channel = channel_of();
    for (const auto* data : {"1", "2", "3"}) channel->publish("n", data);
    const auto reader = channel->read_from("c-2", kNoWake);
    EXPECT_EQ(reader->take(kAll),
              "id: c-2\nevent: hello\ndata: {}\n\nid: c-3\nevent: n\ndata: 3\n\n");
}

TEST(EventChannelTest, AReaderWithAnotherOrAnImpossibleIdIsToldToResync) {
    const auto channel = channel_of();
    channel->publish("n", "1");
    for (const auto* id : {"d-1", "c-2", "c-", "c-x", "c-1x", "7", "c-99999999999999999999"}) {
        const auto reader = channel->read_from(id, kNoWake);
        EXPECT_EQ(reader->take(kAll), "id: c-1\nevent: resync\ndata: {}\n\n") << id;
        EXPECT_EQ(reader->take(kAll), "") << id;
    }
}

TEST(EventChannelTest, ASlowReaderIsToldToResyncAndTheListStaysBounded) {
    const auto channel = channel_of({.events = 4, .bytes = 1000});
    const auto slow = channel->read_from("", kNoWake);
    slow->take(kAll);
    for (int i = 1; i <= 9; ++i) channel->publish("n", std::to_string(i));
    EXPECT_EQ(slow->take(kAll), "id: c-9\nevent: resync\ndata: {}\n\n");
    channel->publish("n", "10");
    EXPECT_EQ(slow->take(kAll), "id: c-10\nevent: n\ndata: 10\n\n");
    // Four events of 400 bytes are too many for 1,000 bytes.
    for (int i = 0; i < 4; ++i) channel->publish("n", std::string(400, 'x'));
    EXPECT_EQ(slow->take(kAll), "id: c-14\nevent: resync\ndata: {}\n\n");
    const auto back = channel->read_from("c-12", kNoWake);
    EXPECT_NE(back->take(kAll).find("id: c-13\n"), std::string::npos);
}

TEST(EventChannelTest, TakeGivesAboutAsMuchAsIsAskedFor) {
    const auto channel = channel_of();
    const auto reader = channel->read_from("", kNoWake);
    reader->take(kAll);
    for (int i = 0; i < 10; ++i) channel->publish("n", std::string(100, 'x'));
    EXPECT_LT(reader->take(200).size(), 400u);
    EXPECT_GT(reader->take(kAll).size(), 700u);
}

TEST(EventChannelTest, EveryPublishWakesTheReadersThatAreThere) {
    const auto channel = channel_of();
    std::atomic<int> woken = 0;
    {
        const auto reader = channel->read_from("", [&] { ++woken; });
        EXPECT_EQ(channel->readers(), 1u);
        channel->publish("n", "1");
        EXPECT_EQ(woken, 1);
    }
    EXPECT_EQ(channel->readers(), 0u);
    channel->publish("n", "2");
    EXPECT_EQ(woken, 1);
}

TEST(EventChannelTest, TwoChannelsNeverHaveTheSameName) {
    const auto first = EventChannel::create(), second = EventChannel::create();
    const auto id = first->read_from("", kNoWake)->take(kAll).substr(4, 18);
    EXPECT_NE(second->read_from(id, kNoWake)->take(kAll).find("resync"), std::string::npos);
    EXPECT_NE(first->read_from(id, kNoWake)->take(kAll).find("hello"), std::string::npos);
}

TEST(EventChannelTest, ReadersMayComeAndGoWhileOthersPublish) {
    const auto channel = channel_of({.events = 16, .bytes = kAll});
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) channel->publish("n", "x");
        });
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                const auto reader = channel->read_from("", kNoWake);
                EXPECT_FALSE(reader->take(100).empty());
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(channel->readers(), 0u);
}

}  // namespace
}  // namespace esper::serving
