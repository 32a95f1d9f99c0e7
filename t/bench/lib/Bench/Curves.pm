package Bench::Curves;

# What grows with what, of the module alone: medians of interleaved rounds at
# 64 connections, unless said otherwise.

use strict;
use warnings;

use Carp qw(croak);
use Time::HiRes qw(sleep time);

use Bench::Client;
use Bench::Compare;
use Bench::Data;
use Bench::Site;
use Bench::Wrk;

use constant { DEEP => 100_000, LONG => 1_000_000 };

my ($say, $out);


# %opt: rounds, seconds, say => sub; returns { NAME => [ { label..., rate, p50, p99 } ... ] }

sub run {
    my (%opt) = @_;
    $say = $opt{say};
    $out = { failed => 0, rounds => $opt{rounds}, seconds => $opt{seconds} };

    my $site = Bench::Site->new('module', connections => 16384)->start;
    $site->seed;
    $say->('seeded');

    lists($site);
    depth($site);
    groups($site);
    connections($site);
    workers($site);
    idle();
    $site->stop;
    memory();

    return $out;
}


# measures every row in turn, in every round; a row is { label, wrk => {...} }

sub rounds {
    my ($name, @rows) = @_;
    for my $round (1 .. $out->{rounds}) {
        for my $row (@rows) {
            my $r = Bench::Wrk::run(seconds => $out->{seconds}, seed => $round, %{ $row->{wrk} });
            push @{ $row->{got} }, $r;
            next unless $r->{errors};
            $out->{failed} += $r->{errors};
            $say->("FAILED: $name, $row->{label}: $r->{why}");
        }
    }
    for my $row (@rows) {
        for my $f (qw(rate p50 p99)) {
            $row->{$f} = Bench::Wrk::median(map { $_->{$f} } @{ $row->{got} });
        }
    }
    $out->{$name} = \@rows;
    $say->("$name: " . join ', ', map { sprintf '%s %.0f', $_->{label}, $_->{rate} } @rows);
    return @rows;
}


sub text_of { my ($n) = @_; return sprintf '第%d条消息，请您按时复查，谢谢您', $n }

sub send_text {
    my (%m) = @_;
    return post_text('/im/send/msg', join '', '{', join(',', map { qq("$_":"$m{$_}") }
        sort keys %m), ',"msg_type":0}');
}


sub lists {
    my ($site) = @_;
    my @n = (1, 20, 100, 500);
    my @g = (20, 100);
    my @queue = map { [] } 1 .. 32;
    for my $n (@n) {
        push @{ $queue[$_ % 32] }, send_text(from_id => Bench::Data::doctor($_),
            to_id => "CKD_L_$n", msg => text_of($_)) for 0 .. $n - 1;
    }
    for my $n (@g) {
        for my $i (1 .. $n) {
            my $id = "of$n-$i";
            $site->must('/im/creat/group', { conv_id => $id, name => $id, owner_id => "CKD_G_$n",
                member => [ map { Bench::Data::doctor($i + $_) } 1, 2 ] });
            push @{ $queue[$i % 32] }, send_text(from_id => "CKD_G_$n", conv_id => $id,
                msg => text_of($i));
        }
    }
    http_drive($site->port, \@queue);
    rounds(list => map { { label => $_->[0], n => $_->[0],
        wrk => { port => $site->port, call => [ 'lists', $_->[1] ] } } }
        map({ [ $_, "CKD_L_$_" ] } @n), map({ [ "$_ groups", "CKD_G_$_" ] } @g));
}


sub depth {
    my ($site) = @_;
    my @queue = map { [] } 1 .. 32;
    my ($status, undef, $head) = http_call($site->port, '/im/send/msg',
        { from_id => 'CKD_X_1', to_id => 'CKD_X_2', msg => 'first', msg_type => 0 });
    my ($conv) = $head =~ /^X-IM-Conv-Id: (\S+)\r$/mi or croak "no X-IM-Conv-Id: $status";
    push @{ $queue[$_ % 32] }, send_text(from_id => 'CKD_X_1', to_id => 'CKD_X_2',
        msg => text_of($_)) for 2 .. DEEP;
    my $t = time;
    http_drive($site->port, \@queue);
    $say->(sprintf '%d messages in %.1f s', DEEP, time - $t);
    rounds(depth => map { { label => "page $_", n => $_,
        wrk => { port => $site->port, call => [ 'deep', $conv, $_ ] } } } 1, 100, 1000, 10000);
}


sub groups {
    my ($site) = @_;
    my @rows = ({ label => '1:1', n => 2, wrk => { port => $site->port, call => [ 'send' ] } });
    for my $n (2, 50, 500) {
        my @ids = map { Bench::Data::doctor($_) } 0 .. $n - 1;
        $site->must('/im/creat/group', { conv_id => "size$n", owner_id => shift @ids,
            name => "size $n", member => \@ids });
        push @rows, { label => "$n", n => $n, wrk => { port => $site->port,
            call => [ 'group', "size$n", Bench::Data::doctor(0) ] } };
    }
    rounds(group => @rows);
}


sub connections {
    my ($site) = @_;
    rounds(connections => map { my $c = $_; map {
        { label => "$_ at $c", call => $_, n => $c,
          wrk => { port => $site->port, call => [ $_ ], connections => $c } }
    } qw(page list send members) } 1, 64, 1024);
}


sub workers {
    my ($site) = @_;
    my $two = Bench::Site->new('module', workers => 2)->start;
    $two->seed;
    rounds(workers => map { my $s = $_; my $n = $s == $two ? 2 : 1; map {
        { label => "$_ by $n", call => $_, n => $n, wrk => { port => $s->port, call => [ $_ ] } }
    } qw(page list send members) } $site, $two);
    $two->stop;
}


# keepalive connections that did one request each, and then nothing

sub idle {
    my $count = 10000;
    chomp(my $limit = `sh -c 'ulimit -n'`);
    $count = $limit - 300 if $limit ne 'unlimited' && $limit < $count + 300;

    my %r = (count => $count);
    for my $path ('/limit', '/im/from/to') {
        my $site = Bench::Site->new('module', connections => 16384)->start;
        $site->seed;
        my $body = { from_id => Bench::Data::patient(7),
                     to_id => (Bench::Data::pair(7, 1))[1], page_no => 1, page_size => 10 };
        my $req = post_text($path, JSON::PP->new->encode($body));

        # buffers, caches and the heap have grown before anything is weighed
        Bench::Wrk::run(port => $site->port, call => [ $_ ], seconds => 1) for qw(page list);
        one($site, $req) for 1 .. 100;

        my $kind = $path eq '/limit' ? 'limit' : 'module';
        my $before = $site->rss;
        my @held = map { one($site, $req) } 1 .. $count;
        sleep 0.5;
        $r{$kind} = ($site->rss - $before) * 1024 / $count;
        $say->(sprintf 'idle: %d connections after %s: %.0f bytes each', $count, $path, $r{$kind});

        if ($kind eq 'module') {
            my $free = Bench::Site->new('module')->start;
            $free->seed;
            rounds(idle => map { my $call = $_; map {
                { label => "$call, $_->[1]", call => $call, n => $_->[2],
                  wrk => { port => $_->[0]->port, call => [ $call ] } }
            } [ $free, 'alone', 0 ], [ $site, 'beside', $count ] } qw(page list send members));
            $free->stop;
        }
        @held = ();
        $site->stop;
    }
    $out->{idle_bytes} = \%r;
}

sub one {
    my ($site, $req) = @_;
    my $s = Bench::Client::tcp($site->port);
    syswrite $s, $req;
    my $in = '';
    while ($in !~ /\r\n\r\n/ || length($in) < length($`) + 4 + ($in =~ /Content-Length: (\d+)/i)[0]) {
        sysread $s, $in, 65536, length $in or croak 'an idle connection was closed';
        $in =~ /\r\n\r\n/;
    }
    croak "not 200: $in" unless $in =~ m{^HTTP/1.1 200 };
    return $s;
}


# resident memory over a million requests of all four calls, in a worker that
# has done nothing else but grow its buffers

sub memory {
    my $site = Bench::Site->new('module')->start;
    $site->seed;
    my @call = qw(page list send members);
    Bench::Wrk::run(port => $site->port, call => [ $_ ], seconds => 2) for @call;
    my @rows = ({ requests => 0, rss => $site->rss });
    my ($n, $i, $next) = (0, 0, LONG / 8);
    while ($n < LONG) {
        my $r = Bench::Wrk::run(port => $site->port, call => [ $call[$i++ % 4] ], seconds => 2);
        $n += $r->{requests};
        $out->{failed} += $r->{errors};
        next if $n < $next;
        push @rows, { requests => $n, rss => $site->rss };
        $next += LONG / 8 while $next <= $n;
    }
    $out->{memory} = \@rows;
    $say->(sprintf 'memory: %d KiB, after %d requests %d KiB', $rows[0]{rss}, $n, $rows[-1]{rss});
    $site->stop;
}

1;
