# A worker that gets no memory while a stream opens, resumes, or is told of
# something: the n-th allocation fails, for all n.  The worker lives, and a
# stream either has every message or ends, and has them when it comes back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::IM::OOM;
use Test::IM::Stream;

plan skip_all => 'valgrind has an allocator of its own' if $ENV{IM_VALGRIND};
plan skip_all => 'no gcc' if !$ENV{CI} && system 'gcc --version >/dev/null 2>&1';

my $t = Test::IM->new(redis => 0, store => "server unix:{{sock}}; timeout 2s;",
    conf_server => 'location /stream { im_stream store; }', conf_main => 'env IM_OOM;');
my $oom = Test::IM::OOM->start($t);

my ($pid) = $t->worker_pids;
$Test::IM::OpenAPI::ON = 0;

sub stream { Test::IM::Stream->new($t, @_) }

my $n = 0;
sub message {       # one more, whatever it takes
    my ($to) = @_;
    my %b = (from_id => 'ann', %$to, msg => 'n' . ++$n, msg_type => 0, client_msg_id => "n$n");
    $t->poll(10, sub { my $r = eval { $t->post('/im/send/msg', \%b) }; $r && $r->status == 200 }) or die 'no send';
    return $b{msg};
}

my $g = $t->group('ann', ['bob'], conv_id => 'g');
message({ to_id => 'bob' });
my $first = stream('/stream?user=bob');
$first->wait_for('ready') or BAIL_OUT('no stream');
my $id = $first->last_id;
$first->close;
message({ to_id => 'bob' });
message({ conv_id => 'g' });

sub has { my ($s, $msg) = @_; scalar grep { $_->{data}{msg} eq $msg } $s->named('message') }


# --- opening, and coming back

# the id goes on, so that not ever more is missed

for my $name (qw(open resume)) {
    my $last = $name eq 'resume' ? $id : undef;
    my (@wrong, $tries, %got);
    for my $stays (0, 1) {
        for (my $k = 1; $k < 300; $k++) {
            $oom->arm($pid, $k, $stays);
            my $s = stream('/stream?user=bob', defined $last ? (last => $last) : ());
            $s->wait(4, sub { $_[0]->named('ready') || $_[0]->named('bye') || $_[0]{ended} });
            my ($failed) = $oom->disarm($pid);
            $s->close, last if !$failed;
            $tries++;
            if ($s->named('ready')) {
                my $msg = message($k % 2 ? { to_id => 'bob' } : { conv_id => 'g' });
                $s->wait(8, sub { has($s, $msg) || $_[0]{ended} }) or push @wrong, "$k: ready, and silent";
                push @wrong, "$k: resumed without what was missed"
                    if $last && !$s->named('reset') && !$s->{ended} && $s->named('message') < 2;
            }
            elsif (!$s->{ended} && !$s->named('bye')) { push @wrong, "$k: neither ready nor ended" }
            if ($last) {
                my $now = stream('/stream?user=bob');
                $last = $now->last_id if $now->wait_for('ready');
                $now->close;
                message({ to_id => 'bob' });
                message({ conv_id => 'g' });
            }
            $got{ $s->named('ready') ? 'ready' : $s->named('bye') ? 'bye' : $s->{ended} ? 'ended' : 'hung' }++;
            $s->close;
            my ($now) = $t->worker_pids;
            if ($now != $pid) { push @wrong, "$k: the worker has died"; $pid = $now; sleep 0.2 }
        }
    }
    is_deeply(\@wrong, [], sprintf '%s: %d failures, %s', $name, $tries, join ', ', map { "$_ x $got{$_}" } sort keys %got);
    cmp_ok($tries, '>=', 3, "$name: allocations have failed");
}


# --- told of a message

for my $to ({ to_id => 'bob' }, { conv_id => 'g' }) {
    my ($name) = keys %$to;
    my (@wrong, $tries);
    my $s = stream('/stream?user=bob');
    $s->wait_for('ready');
    for my $stays (0, 1) {
        for (my $k = 1; $k < 300; $k++) {
            $oom->arm($pid, $k, $stays);
            my $r = eval { $t->post('/im/send/msg', { from_id => 'ann', %$to, msg => "e$k.$stays", msg_type => 0 }) };
            sleep 0.02;
            my ($failed) = $oom->disarm($pid);
            last if !$failed;
            $tries++;
            my $sent = $r && $r->status == 200;
            my $msg = message($to);
            my $have = sub { has($s, $msg) && (!$sent || has($s, "e$k.$stays")) };
            $s->wait(8, sub { $have->() || $_[0]{ended} });
            if ($s->{ended}) {
                my $last = $s->last_id;
                $s = stream('/stream?user=bob', last => $last);
                $s->wait(8, sub { $have->() || $_[0]{ended} });
            }
            push @wrong, "$k: missing" if !$have->();
            my ($now) = $t->worker_pids;
            if ($now != $pid) { push @wrong, "$k: the worker has died"; $pid = $now; sleep 0.2 }
        }
    }
    is_deeply(\@wrong, [], "$name: $tries failures");
    $s->close;
}

$t->done(qr/\[(?:emerg|alert|crit)\].*(?:alloc|memalign|memory).*failed|\(12: Cannot allocate memory\)/);
done_testing;
