# The push channel tells of imported conversations by the ids that they are
# shown under, live and behind a resume.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;
use Test::IM::Stream;

my $t = Test::IM->new(conf_im => 'im_import on;', conf_server => <<'EOF')->start;
    location /stream { im_stream store; }
EOF

sub call { my ($path, $body) = @_; my $r = $t->post("/im/$path", $body); is($r->status, 200, $path) or diag $r->body; return $r }

my $pair = '5f1c09aa5f1c09aa5f1c0001';
my $group = '5f1c09aa5f1c09aa5f1c0002';
my $n = 0;

sub import_conv {
    my ($id, $type, @users) = @_;
    call(import => { conv_id => $id, conv_type => $type, conv_users => \@users, unread => JSON::PP::true(),
                     messages => [ map { { msg_id => "old/$id=$_", msg_type => 0, msg => "m$_", from_id => $users[0],
                                           from_time => 1700000000000 + $_ } } 1 .. 3 ] });
}

import_conv($pair, 0, qw(ann bob));
import_conv($group, 1, qw(ann bob cyd));

# everything that is told, as ann does it; bob sees it
sub acts {
    for my $id ($pair, $group) {
        my $msg = call('send/msg', { conv_id => $id, from_id => 'ann', msg => 'live ' . ++$n, msg_type => 0 })->msg_id;
        call("conv/$id/typing", { from_id => 'ann' });
        call("conv/$id/read", { from_id => 'bob', msg_id => "old/$id=2" }) if $n < 3;
        call('msg/recall', { conv_id => $id, msg_id => $msg, from_id => 'ann' });
        call('msg/recall', { conv_id => $id, msg_id => "old/$id=3", from_id => 'ann' }) if $id eq $group && $n < 3;
        call("conv/$id/hide", { from_id => 'bob' });
    }
}

sub kinds { my %n; $n{"$_->{event} " . ($_->{data}{conv_id} // '')}++ for @_; return \%n }

{
    my $s = Test::IM::Stream->new($t, '/stream?user=bob');
    ok($s->wait_for('ready'), 'open');
    my $id = $s->last_id;
    acts();
    ok($s->wait(10, sub { kinds($s->events)->{"conv $group"} }), 'all has come');
    my @e = grep { $_->{event} ne 'ready' } $s->events;
    is_deeply(kinds(@e), { map({ ("message $_" => 1, "typing $_" => 1, "read $_" => 1, "conv $_" => 1) } $pair, $group),
                           "recall $pair" => 1, "recall $group" => 2 }, 'under the ids that are shown')
        or diag explain kinds(@e);
    is_deeply([ sort map { $_->{data}{msg_id} } grep { $_->{event} eq 'read' } @e ],
              [ sort map { "old/$_=2" } $pair, $group ], 'read: with the ids of messages that are shown');
    is((grep { $_->{event} eq 'recall' && $_->{data}{msg_id} eq "old/$group=3" } @e), 1, 'recall, too');
    $s->close;

    acts();
    $s = Test::IM::Stream->new($t, '/stream?user=bob', last => $id);
    ok($s->wait_for('ready'), 'resumed');
    my %seen = %{ kinds(grep { $_->{event} =~ /^(?:message|recall|gap)$/ } $s->events) };
    is_deeply([ sort keys %seen ], [ sort map { ("message $_", "recall $_") } $pair, $group ],
              'what was missed, under the ids that are shown') or diag explain \%seen;
    $s->close;
}

for my $who (qw(ann zed)) {
    my $r = $t->post("/im/conv/$group/typing", { from_id => $who });
    is($r->status, $who eq 'ann' ? 200 : 403, "$who types in a group of 24 digits");
    $r = $t->post("/im/conv/$pair/typing", { from_id => $who });
    is($r->status, $who eq 'ann' ? 200 : 403, "$who types in a 1:1");
}

$t->done;
done_testing;
