# Unread counts are never above the truth, whatever runs between the commands
# of a list or a total: several connections, long texts, several writers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    store => 'server unix:{{sock}}; connections 4; timeout 10s;',
    conf_im => 'im_reply full; im_list_max 400;',
    conf_server => 'location /few/ { im_pass store; im_list_max 20; }',
)->start;

my $long = 'x' x 6000;
my $seconds = 5 * $Test::IM::SCALE;
my (@group, @peer);


# 130 groups, in which only "me" writes; "late" has joined some, and reads some

for my $i (1 .. 130) {
    push @group, $t->group('owner', [qw(me late)]);
    $t->say_in('me' => $group[-1], 'hello');
}

for my $i (1 .. 30) {
    push @peer, "p$i";
    $t->say("p$i" => 'me', 'hello');
    $t->say('me' => "p$i", 'hello');
}

is($t->unread('me'), 0, 'nothing is unread');
is($t->unread('late'), 130, 'for others it is');


# a process for each; what they return is one line each

sub parallel {
    my %of = @_;
    my (%out, %pid);
    for my $name (sort keys %of) {
        pipe my $r, my $w or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            srand($$);
            my $said = eval { $of{$name}->(time + $seconds) } // "failed: $@";
            syswrite $w, $said;
            POSIX::_exit(0);
        }
        close $w;
        ($out{$name}, $pid{$name}) = ($r, $pid);
    }
    for my $name (keys %of) {
        local $/;
        my $r = $out{$name};
        $out{$name} = <$r>;
        waitpid $pid{$name}, 0;
    }
    return \%out;
}


# connections of all workers take turns

sub elsewhere { delete $t->{conn} if rand() < 0.2 }


# sends that are all on their way at once, as the bytes of many connections

sub write_own {
    my $end = shift;
    my $n = 0;
    while (time < $end) {
        my $conn = $t->connect;
        my @send = map { bytes('/im/send/msg', { from_id => 'me', msg => 'again',
                             msg_type => 0, rand() < 0.8
                                 ? (conv_id => $group[rand @group])
                                 : (to_id => $peer[rand @peer]) }) } 1 .. 100;
        $conn->send(join '', @send);
        $conn->read_response->status == 200 or die "refused\n" for @send;
        $n += @send;
    }
    return "sent $n";
}


# other conversations, so that much else is on the connections

sub write_others {
    my $end = shift;
    my $n = 0;
    while (time < $end) {
        elsewhere();
        my $r = $t->say('a' . int rand 20, 'b' . int rand 20, $long x 3);
        $t->page($r->conv_id, page_size => 50);
        $n++;
    }
    return "sent $n";
}


sub read_own {
    my ($base, $end) = @_;
    my ($n, $rows, $wrong, $totals) = (0) x 4;
    while (time < $end) {
        elsewhere();
        my $list = $t->call("$base/conv/list", { from_id => 'me' })->body;
        $rows += () = $list =~ /"unread_count":/g;
        $wrong += () = $list =~ /"unread_count":[^0]/g;
        $totals++ if $t->unread('me');
        $n++;
    }
    return $wrong || $totals ? "$wrong rows, $totals totals of $n are above 0"
         : $rows < 20 * $n   ? "only $rows rows in $n lists"
         :                     "right $n";
}


# "late" reads a group up to a message that he is told, and never more than
# what follows it is unread

sub read_some {
    my $end = shift;
    my ($n, @wrong) = (0);
    my %read;
    while (time < $end) {
        elsewhere();
        for (1 .. 3) {
            my $conv = $group[rand 20];
            my $page = $t->page($conv, from_id => 'late', page_size => 1);
            $read{$conv} = $page->[0]{seq};
        }
        for my $row (@{ $t->list('late') }) {
            my $most = $row->{seq} - ($read{$row->{conv_id}} // 0);
            push @wrong, "$row->{unread_count} > $most"
                if $row->{unread_count} > $most;
        }
        $n++;
    }
    return @wrong ? "$n lists: @wrong" : "right $n";
}


my $said = parallel(
    'writer' => \&write_own,
    'another writer' => \&write_own,
    'writer of others' => \&write_others,
    'reader of lists' => sub { read_own('/im', @_) },
    'reader of short lists' => sub { read_own('/few', @_) },
    'reader of some' => \&read_some,
);

for my $name (sort keys %$said) {
    like($said->{$name}, $name =~ /^reader/ ? qr/^right [1-9]/ : qr/^sent [1-9]/,
         "$name: $said->{$name}");
}


# --- and at the end each count is the truth

is($t->unread('me'), 0, 'nothing is unread at the end');

my ($sum, $wrong) = (0, 0);
for my $row (@{ $t->list('owner') }) {
    $wrong++ if $row->{unread_count} != $row->{seq};
    $sum += $row->{seq};
}
is($wrong, 0, 'who never reads has all of them unread');
is($t->unread('owner'), $sum, "and a total of $sum");

$t->done;
done_testing;
