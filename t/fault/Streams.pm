package Streams;

# Checks that streams miss nothing.  Writers send to 1:1s and groups while
# streams are cut in every way; a client drops what is not above the last seq
# that it has of a conversation.  In the end each stream must have the messages
# of every timeline of its user, but for those that a gap or a reset excuses.
#
#     my $s = Streams->new(t => $t, base => '/stream', users => 6, writers => 2);
#     $s->run(events => 2000, faults => [qw(pubsub cut reload worker)]);
#     my @wrong = $s->wrong;

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::IM::Stream;


my $made = 0;


sub new {
    my ($class, %o) = @_;
    my $self = bless { users => 6, writers => 2, base => '/stream', %o, streams => {}, seen => {} }, $class;
    $made++;
    my @u = map { "s$made.$_" } 1 .. $self->{users};
    $self->{names} = \@u;
    $self->{groups} = [ map { $self->{t}->group($u[0], [ @u[1 .. $#u] ], conv_id => "sg$made.$_") } 1, 2 ];
    $self->open_stream($_) for @u;
    $self->{t}->poll(10, sub { $self->read(0.1); !grep { !$_->named('ready') } values %{ $self->{streams} } });
    return $self;
}


sub open_stream {
    my ($self, $u) = @_;
    my $old = $self->{streams}{$u};
    $self->{streams}{$u} = eval { Test::IM::Stream->new($self->{t}, "$self->{base}?user=$u",
        $old && length $old->last_id ? (last => $old->last_id) : ()) };
    $self->{opened}++;
}


# reads all streams, and opens again those that have ended
sub read {
    my ($self, $seconds) = @_;
    my $sel = IO::Select->new(map { $_->{sock} } grep { $_ && !$_->{ended} } values %{ $self->{streams} });
    $sel->can_read($seconds) if $sel->count;
    for my $u (@{ $self->{names} }) {
        my $s = $self->{streams}{$u};
        $s->read_some(0) if $s;
        $self->take($u, $s) if $s;
        next if $s && !$s->{ended};
        my $id = $s ? $s->last_id : $self->{id}{$u};
        $self->{id}{$u} = $id if length($id // '');
        my $new = eval { Test::IM::Stream->new($self->{t}, "$self->{base}?user=$u",
                                               length($self->{id}{$u} // '') ? (last => $self->{id}{$u}) : ()) };
        $self->{opened}++ if $new;
        $self->{streams}{$u} = $new;
    }
}


# what a client does with the events
sub take {
    my ($self, $u, $s) = @_;
    my $mine = $self->{seen}{$u} ||= { last => {}, got => {}, gaps => [], resets => [] };
    for my $e (splice @{ $s->{events} }) {
        my $d = $e->{data};
        if ($e->{event} eq 'message') {
            $self->{delivered}++;
            next if $d->{seq} <= ($mine->{last}{ $d->{conv_id} } // 0);
            $mine->{last}{ $d->{conv_id} } = $d->{seq};
            $mine->{got}{ $d->{conv_id} }{ $d->{seq} } = $d->{msg_id};
        }
        push @{ $mine->{gaps} }, $d if $e->{event} eq 'gap';
        push @{ $mine->{resets} }, ($e->{id} =~ /-(\d+)$/) if $e->{event} eq 'reset';
        push @{ $s->{events} }, $e if $e->{event} eq 'ready';
    }
}


sub run {
    my ($self, %o) = @_;
    my $t = $self->{t};
    my @faults = @{ $o{faults} || [] };
    my $each = int($o{events} / $self->{writers});
    my @pids;
    for my $w (1 .. $self->{writers}) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            $self->write($w, $each);
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    my ($next, $n) = (time + 0.3, 0);
    while (@pids) {
        $self->read(0.05);
        @pids = grep { waitpid($_, POSIX::WNOHANG()) == 0 } @pids;
        if (@faults && time >= $next) {
            $self->fault($faults[ $n++ % @faults ]);
            $next = time + ($o{every} || 0.7);
        }
    }
    $self->{faults} = $n;

    # until nothing has come for some time
    my $last = -1;
    my $end = time + 30 * $Test::IM::SCALE;
    my $quiet = time;
    while (time < $end && time - $quiet < 4) {
        $self->read(0.2);
        $quiet = time if ($self->{delivered} // 0) != $last;
        $last = $self->{delivered} // 0;
    }
    return $self;
}


sub write {
    my ($self, $w, $each) = @_;
    my @u = @{ $self->{names} };
    my ($t, $conn) = $self->{t};
    srand($w);
    for my $i (1 .. $each) {
        my $from = $u[ rand @u ];
        my ($to) = grep { $_ ne $from } @u[ map { rand @u } 1 .. 20 ];
        my $body = { from_id => $from, msg => "w$w-$i", msg_type => 0, client_msg_id => "w$w-$i",
                     rand() < 0.4 ? (conv_id => $self->{groups}[ rand @{ $self->{groups} } ]) : (to_id => $to) };
        my $until = time + 20 * $Test::IM::SCALE;
        until (eval { $conn ||= $t->connect; $conn->send(Test::IM::bytes('/im/send/msg', $body)); $conn->read_response->status == 200 }) {
            undef $conn;
            last if time > $until;
            sleep 0.02;
        }
    }
}


sub fault {
    my ($self, $what) = @_;
    my $t = $self->{t};
    if ($what eq 'pubsub') { eval { $t->redis(qw(CLIENT KILL TYPE pubsub)) } }
    if ($what eq 'reload') { kill HUP => $t->master_pid }
    if ($what eq 'worker') { my @p = $t->worker_pids; kill KILL => $p[ rand @p ] if @p }
    if ($what eq 'redis')  { $t->stop_redis('KILL'); $t->start_redis }
    if ($what eq 'cut') {
        my @s = grep { $_ && !$_->{ended} } values %{ $self->{streams} };
        for (1 .. 2) { my $s = $s[ rand @s ] or last; $s->close }
    }
}


# messages of timelines that a stream has not, and nothing excuses
sub wrong {
    my $self = shift;
    my (@wrong, %line);
    for my $u (@{ $self->{names} }) {
        my $mine = $self->{seen}{$u} || {};
        for my $c (@{ $self->{t}->post('/im/conv/list', { from_id => $u })->json }) {
            my $conv = $c->{conv_id};
            my $all = $line{$conv} ||= $self->timeline($conv);
            for my $m (@$all) {
                my ($seq) = $m->{msg_id} =~ /^(\d+)-/;
                my $got = $mine->{got}{$conv}{$seq};
                next if defined $got && $got eq $m->{msg_id};
                next if grep { $_->{conv_id} eq $conv && $_->{after} < $seq && $seq < $_->{before} } @{ $mine->{gaps} };
                next if grep { $m->{from_time} <= $_ } @{ $mine->{resets} };
                push @wrong, "$u: $conv $seq " . (defined $got ? 'is another' : 'is missing');
            }
            my %real = map { $_->{msg_id} => 1 } @$all;
            push @wrong, map { "$u: $conv $_ does not exist" }
                grep { !$real{ $mine->{got}{$conv}{$_} } } keys %{ $mine->{got}{$conv} || {} };
        }
    }
    return @wrong;
}


sub timeline {
    my ($self, $conv) = @_;
    my (@all, $after);
    while (1) {
        my $page = $self->{t}->post("/im/conv/$conv", { after => $after // '', page_size => 200 })->json;
        last if !@$page;
        push @all, reverse @$page;
        $after = $page->[0]{msg_id};
    }
    return \@all;
}


1;
