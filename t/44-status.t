# im_status: what the figures say after a known sequence, over workers, reloads,
# kills and faults of Redis; its two formats, and who may ask for them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;

sub status { my ($t, $path) = @_; return $t->get($path // '/status')->json }

sub store { my ($t, $name) = @_; return status($t)->{total}{stores}{$name // 'store'} }

# every worker shows, and nothing is under way
sub settled {
    my ($t, $what) = @_;
    my $s;
    ok($t->poll(5, sub {
        $s = status($t);
        return @{ $s->{workers} } == $t->{workers} && $s->{total}{in_flight} == 0
            && !grep { my $x = $_;
                       $x->{connected} != $x->{connections}
                       || grep { $x->{$_} } qw(jobs waiting_commands waiting_bytes
                                               unanswered_commands) }
               values %{ $s->{total}{stores} };
    }), "$what: nothing is under way") or diag explain $s->{total};
    return $s;
}

# what the totals have more than those before, without zeros
sub grown {
    my ($now, $before) = @_;
    my %more;
    for my $call (keys %{ $now->{total}{requests} }) {
        for my $code (keys %{ $now->{total}{requests}{$call} }) {
            my $n = $now->{total}{requests}{$call}{$code}
                    - ($before->{total}{requests}{$call}{$code} // 0);
            $more{"$call $code"} = $n if $n;
        }
    }
    return \%more;
}


# --- a strict reader of the text format, version 0.0.4

sub parse {     # samples by name and labels, what is wrong
    my $text = shift;
    my (%family, %seen, @bad, %sample, $now, $help);

    push @bad, 'no newline at the end' if $text !~ /\n\z/;

    for my $line (split /\n/, $text, -1) {
        next if $line eq '';
        if ($line =~ /^# HELP ([a-zA-Z_:][\w:]*) (\S.*)$/) {
            push @bad, "HELP twice: $1" if $family{$1};
            $help = $1;
        } elsif ($line =~ /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/) {
            my ($name, $type) = ($1, $2);
            push @bad, "TYPE without its HELP: $name" if ($help // '') ne $name;
            $family{$name} = $now = { name => $name, type => $type };
            push @bad, "a suffix that belies the type: $name"
                if ($name =~ /_total$/) != ($type eq 'counter');
        } elsif ($line =~ /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\d+(?:\.\d+)?)$/) {
            my ($name, $labels, $value) = ($1, $2 // '', $3);
            my ($base, $part) = $name =~ /^(.*)_(bucket|sum|count)$/;
            my $owner = $now && $now->{type} eq 'histogram' ? $base : $name;
            push @bad, "a sample outside its family: $line"
                if !$now || ($owner // '') ne $now->{name};
            push @bad, "a sample twice: $line" if $seen{"$name\{$labels}"}++;

            my (%label, @order);
            while ($labels =~ /\G([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|\z)/gc) {
                my ($k, $v) = ($1, $2);
                push @bad, "a label twice: $line" if exists $label{$k};
                $v =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
                $label{$k} = $v;
            }
            push @bad, "bad labels: $line" if (pos($labels) // 0) != length $labels;

            my $le = delete $label{le};
            my $key = join ',', map { "$_=$label{$_}" } sort keys %label;
            if (defined $le) {
                push @{ $now->{buckets}{$key} }, [ $le, $value ];
            } else {
                $sample{$name}{$key} = $value;
            }
        } else {
            push @bad, "not a line: $line";
        }
    }

    for my $f (grep { $_->{type} eq 'histogram' } values %family) {
        for my $key (keys %{ $f->{buckets} }) {
            my ($bound, $n) = (-1, 0);
            for (@{ $f->{buckets}{$key} }) {
                my $le = $_->[0] eq '+Inf' ? 9**9**9 : $_->[0];
                push @bad, "$f->{name}: bounds do not rise" if $le <= $bound;
                push @bad, "$f->{name}: buckets fall" if $_->[1] < $n;
                ($bound, $n) = ($le, $_->[1]);
            }
            push @bad, "$f->{name}: no +Inf" if $bound != 9**9**9;
            push @bad, "$f->{name}: +Inf is not the count"
                if $n != ($sample{"$f->{name}_count"}{$key} // -1);
            push @bad, "$f->{name}: no sum" if !defined $sample{"$f->{name}_sum"}{$key};
        }
    }

    return (\%sample, @bad);
}

sub prometheus {
    my ($text, $what) = @_;
    my ($sample, @bad) = parse($text);
    is_deeply(\@bad, [], "$what: the text format is valid");
    return $sample;
}

# the reader finds what it must find

sub faulty {
    my ($what, $text) = @_;
    my ($sample, @bad) = parse($text);
    ok(scalar @bad, "the reader minds $what");
}

my $good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
is_deeply([ parse($good) ], [ { a_total => { 'b=c' => 1 } } ], 'the reader takes what is good');
faulty('a sample twice', $good . "a_total{b=\"c\"} 2\n");
faulty('a family twice', "$good# HELP b x\n# TYPE b gauge\nb 1\n$good");
faulty('no HELP', "# TYPE b gauge\nb 1\n");
faulty('a label not escaped', "${good}a_total{b=\"\"\"} 2\n");
faulty('falling buckets', "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n"
    . "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n");
faulty('a count that is not +Inf', "# HELP h x\n# TYPE h histogram\n"
    . "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n");


# --- formats, methods, access

my $access = '$im_call $im_code';
my $t = Test::IM->new(one => 'it counts connections',
    workers => 2, log_format => $access,
    store => 'server unix:{{sock}}; timeout ' . ms(1000) . '; connect_timeout ' . ms(500) . ';',
    conf_http => 'im_redis "odd \"\\\\ name" { server unix:{{sock}}; }',
    conf_server => <<'CONF',
        location = /status { im_status; access_log off; }
        location = /metrics { im_status prometheus; access_log off; }
        location = /json { im_status json; access_log off; }
        location = /closed { im_status; deny all; }
        location = /head { im_status; limit_except GET { deny all; } }
        location = /some { im_status; if ($arg_x) { set $y 1; } if ($arg_z) { return 403; } }
        location /odd/ { im_pass 'odd "\ name'; }
CONF
)->start;

sub kind {
    my $r = shift;
    return $r->status if $r->status != 200;
    my $type = $r->header('Content-Type');
    return $type eq 'application/json' && eval { $r->json->{total} }       ? 'json'
         : $type eq 'text/plain; version=0.0.4; charset=utf-8'
           && $r->body =~ /^# HELP/                                       ? 'prometheus'
         :                                                                   "odd: $type";
}

sub taking { return (headers => [ map { "Accept: $_" } @_ ]) }

my $scraper = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

is(kind($t->get('/status')), 'json', 'JSON by default');
is(kind($t->get('/status', taking('*/*'))), 'json', 'for curl');
is(kind($t->get('/status', taking('text/html,application/xml;q=0.9,*/*;q=0.8'))), 'json',
   'for a browser');
is(kind($t->get('/status', taking('application/json, text/plain, */*'))), 'json',
   'for who accepts it by name');
is(kind($t->get('/status', taking($scraper))), 'prometheus', 'for Prometheus');
is(kind($t->get('/status', taking('text/plain'))), 'prometheus', 'for text/plain');
is(kind($t->get('/status', taking('*/*', 'TEXT/PLAIN'))), 'prometheus', 'in a second header');
is(kind($t->get('/status?format=prometheus', taking('application/json'))), 'prometheus',
   'format=prometheus');
is(kind($t->get('/status?format=json', taking($scraper))), 'json', 'format=json');
is(kind($t->get('/metrics?format=json', taking('application/json'))), 'prometheus',
   'im_status prometheus');
is(kind($t->get('/json?format=prometheus', taking($scraper))), 'json', 'im_status json');
is(kind($t->get('/closed')), 403, 'nginx decides who comes in');
is(kind($t->get('/head')), 'json', 'with limit_except');
is($t->post('/head', '{}')->status, 403, 'which holds');
is(kind($t->get('/some?x=1')), 'json', 'in an if');
is(kind($t->get('/some?z=1')), 403, 'that can do otherwise');

for my $path ('/status', '/metrics') {
    my $c = $t->connect;
    $c->send("HEAD $path HTTP/1.1\r\nHost: x\r\n\r\n");
    my $r = $c->read_response(head => 1);
    is($r->status, 200, "HEAD $path");
    cmp_ok($r->header('Content-Length'), '>', 100, 'with the length');
    $c->send("GET $path HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    is($c->read_response->status, 200, 'and no body: the next one is answered, its body ignored');
    $c->send("POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    $r = $c->read_response;
    is($r->status, 405, "POST $path");
    is($r->header('Allow'), 'GET, HEAD', 'says what is allowed');
    is($c->send("GET $path HTTP/1.1\r\nHost: x\r\n\r\n")->read_response->status, 200, 'and goes on');
}


# --- counts are exact, and those of the workers add up to them

my $zero = settled($t, 'at the start');
is_deeply($zero->{total}{requests}, {}, 'no request yet');
is($zero->{generation}, 1, 'first configuration');
is($zero->{total}{stores}{store}{connects}, 2, 'a connection of each worker');
is_deeply([ map { $_->{worker} } @{ $zero->{workers} } ], [0, 1], 'workers in order');
is_deeply([ sort map { $_->{pid} } @{ $zero->{workers} } ], [ sort $t->worker_pids ],
          'and their processes');

my ($x, $y) = fresh();
my $group;

sub sequence {
    my %opt = @_;
    my @close = (close => 1);
    for (1 .. 7) { $t->post('/im/send/msg', body($x, $y, "m$_"), @close) }
    $t->post('/im/send/msg', body($x, $x, 'self'), @close);
    $t->post('/im/send/msg', body($x, $y, 'm' x 40000), @close);
    $t->post('/im/conv/list', { from_id => $y }, @close) for 1 .. 3;
    $t->post('/im/from/to', { from_id => $y, to_id => $x }, @close) for 1 .. 2;
    $t->post('/im/unread', '{', @close) for 1 .. 4;
    $t->post('/im/unread', { from_id => $y }, @close);
    $t->post('/im/conv/nosuch', {}, @close);
    $t->post('/im/nosuch', {}, @close) for 1 .. 2;
    $t->get('/im/unread');
    $t->get('/im/nosuch');
    $t->post('/im/unread', ' ' x 270000, @close);
    $t->post('/im/user/set', { users => [ { id => $x, name => 'X' } ] }, @close);
    $t->post('/im/user/get', { ids => [ $x, $y ] }, @close) for 1 .. 2;
    $t->h2('/im/nosuch', '{}');
    $t->h2('/im/unread', { from_id => $y });
    $t->request("POST /im/unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        . "Connection: close\r\n\r\n"
        . sprintf("%x\r\n%s\r\n0\r\n\r\n", 263000, ' ' x 263000));
}

my %expect = (
    'send ok' => 7, 'send bad_request' => 1, 'send msg_too_long' => 1,
    'conv_list ok' => 3, 'pair_page ok' => 2, 'unread bad_json' => 4, 'unread ok' => 2,
    'conv_page conv_not_found' => 1, 'none not_found' => 4, 'unread method_not_allowed' => 1,
    'unread body_too_large' => 2, 'user_set ok' => 1, 'user_get ok' => 2,
);

sequence();
my $one = settled($t, 'after the sequence');
is_deeply(grown($one, $zero), \%expect, 'every request, by call and code');
is_deeply(logged(), \%expect, 'as the access log has them');
added_up($one);

sub logged {
    my %n;
    for (split /\n/, $t->access_log) {
        my ($call, $code) = split ' ';
        next if $code eq '-';
        $n{($call eq '-' ? 'none' : $call) . " $code"}++;
    }
    return \%n;
}

sub added_up {
    my $s = shift;
    my (%n, %store);
    for my $w (@{ $s->{workers} }) {
        for my $call (keys %{ $w->{requests} }) {
            $n{$call}{$_} += $w->{requests}{$call}{$_} for keys %{ $w->{requests}{$call} };
        }
        for my $name (keys %{ $w->{stores} }) {
            for (grep { !ref $w->{stores}{$name}{$_} } keys %{ $w->{stores}{$name} }) {
                $store{$name}{$_} += $w->{stores}{$name}{$_};
            }
        }
    }
    is_deeply(\%n, $s->{total}{requests}, 'the workers add up to the total');
    for my $name (keys %store) {
        is($store{$name}{$_}, $s->{total}{stores}{$name}{$_}, "$name: $_ adds up")
            for sort keys %{ $store{$name} };
    }
}


# --- round trips: two of a first message, none of a refusal

{
    my $n = sub { my $s = shift; $s->{total}{stores}{store}{round_trips}{count} };
    my $before = settled($t, 'before some sends');
    my $commands = $t->redis('INFO', 'commandstats');
    status($t) for 1 .. 5;
    my $after = $t->redis('INFO', 'commandstats');
    s/cmdstat_info.*\n// for $commands, $after;
    is($after, $commands, 'the status asks Redis for nothing');

    $t->say(fresh(), 'x') for 1 .. 10;
    $t->post('/im/send/msg', body($x, $x, 'self'));
    my $after_sends = settled($t, 'after them');
    is($n->($after_sends) - $n->($before), 20, 'two round trips of each');
    my $had = $before->{total}{stores}{store}{commands};
    is($after_sends->{total}{stores}{store}{commands} - $had, 30, 'three commands of each');
}


# --- the profile cache

{
    my $before = status($t)->{profile_cache};
    my ($a, $b) = fresh();
    $t->post('/im/user/get', { ids => [ $a, $b ] });
    $t->post('/im/user/get', { ids => [ $a, $b, 'nobody1' ] });
    my $now = status($t)->{profile_cache};
    is($now->{misses} - $before->{misses}, 3, 'profiles asked of Redis');
    is($now->{hits} - $before->{hits}, 2, 'and those that were there');
    is($now->{evictions}, 0, 'none had to go');
}


# --- the text says the same

{
    my $s = settled($t, 'before the text is read');
    my $p = prometheus($t->get('/metrics')->body, 'at rest');
    my %requests;
    for my $call (keys %{ $s->{total}{requests} }) {
        $requests{"call=$call,code=$_"} = $s->{total}{requests}{$call}{$_}
            for keys %{ $s->{total}{requests}{$call} };
    }
    my %shown = %{ $p->{im_requests_total} };
    is_deeply({ map { $shown{$_} ? ($_ => $shown{$_}) : () } keys %shown }, \%requests,
              'requests by call and code');
    is($shown{"call=$_,code=ok"} // 'none', $requests{"call=$_,code=ok"} // 0,
       "$_ ok is there") for qw(send unread group_create);
    is($shown{'call=send,code=outcome_unknown'}, 0, 'a code for alarms is there before its time');
    ok(!exists $shown{'call=send,code=forbidden'}, 'another is not');

    for my $name ('store', 'odd "\\ name') {
        my $j = $s->{total}{stores}{$name};
        my @gauge = qw(jobs waiting_commands waiting_bytes unanswered_commands connected
                       connections streams subscribed);
        for my $f (@gauge) {
            my $got = $p->{"im_store_$f"};
            is($got->{"store=$name,worker=0"} + $got->{"store=$name,worker=1"}, $j->{$f},
               "$name: $f by worker");
        }
        is_deeply([ map { $p->{"im_store_${_}_total"}{"store=$name"} }
                    grep { my $f = $_; !ref $j->{$f} && !grep { $_ eq $f } @gauge } sort keys %$j ],
                  [ map { $j->{$_} }
                    grep { my $f = $_; !ref $j->{$f} && !grep { $_ eq $f } @gauge } sort keys %$j ],
                  "$name: counters");
        is($p->{im_store_round_trip_seconds_count}{"store=$name"}, $j->{round_trips}{count},
           "$name: round trips");
    }
    is($p->{im_workers}{''}, 2, 'workers');
    is($p->{im_workers_leaving}{''}, 0, 'none is leaving');
    is_deeply($p->{im_requests_in_flight}, { 'worker=0' => 0, 'worker=1' => 0 }, 'in flight');
    is($p->{im_start_time_seconds}{''}, $s->{since}, 'since');
    is($p->{"im_profile_cache_${_}_total"}{''}, $s->{profile_cache}{$_}, "profile cache: $_")
        for qw(hits misses evictions);
}


# --- reloads: counters go on, also with other stores and workers; a worker
# that has not gone yet is told

{
    my $before = settled($t, 'before the reload');
    my $slow = $t->connect;
    my $late = bytes('/im/send/msg', body($x, $y, 'late'));
    $slow->send(substr $late, 0, -3);
    sleep 0.1 * $scale;
    $t->reload(overlap => 1);

    my $p;
    ok($t->poll(5, sub { $p = prometheus($t->get('/metrics')->body, 'while one leaves');
                         $p->{im_workers}{''} == 2 && $p->{im_workers_leaving}{''} == 1 }),
       'a worker that leaves is told');
    my $s = status($t);
    is($s->{generation}, 2, 'second configuration');
    is_deeply([ sort map { $_->{generation} } @{ $s->{workers} } ], [1, 2, 2], 'of one is the first');
    is(scalar(keys %{ $p->{im_requests_in_flight} }), 2, 'numbers of workers are not doubled');

    sequence();
    $slow->send(substr $late, -3);
    is($slow->read_response->status, 200, 'it answers what it has');
    $slow->close;
    $t->poll(5, sub { $t->worker_pids == 2 });
    my $now = settled($t, 'after the reload');
    is_deeply(grown($now, $before), { %expect, 'send ok' => $expect{'send ok'} + 1 },
              'nothing is lost on the way');
    is($now->{since}, $before->{since}, 'counted since the same time');
    cmp_ok($now->{total}{stores}{store}{commands}, '>',
           $before->{total}{stores}{store}{commands}, 'those of the store go on, too');

    $t->{workers} = 3;
    $t->{conf_http} = 'im_redis more { server unix:{{sock}}; }';
    $t->{conf_server} =~ s/^.*odd.*\n//m;
    $t->write_file('nginx.conf', $t->conf);
    $t->reload;
    my $then = settled($t, 'with other stores and workers');
    is_deeply(grown($then, $now), {}, 'no more and no less');
    is($then->{total}{stores}{more}{connected}, 3, 'the new store');
    is($then->{total}{stores}{'odd "\\ name'}{connections}, 0, 'the store that was');
    ok(!exists $then->{workers}[0]{stores}{'odd "\\ name'}, 'is in no worker');

    my @seen = $then;
    for (1 .. 5) {
        $t->reload;
        sequence();
        push @seen, settled($t, "reload $_");
        is_deeply(grown($seen[-1], $seen[-2]), \%expect, 'and exact');
    }
    is($seen[-1]{generation}, 8, 'configurations are numbered');
}


# --- a worker that is killed leaves its counts and none of its gauges

for my $round (1 .. 3) {
    my $before = settled($t, 'before the kill');
    $t->signal_redis('STOP');
    my @conn = map { $t->connect } 1 .. 20;
    $_->send(bytes('/im/unread', { from_id => $y })) for @conn;
    my $s;
    ok($t->poll(5, sub { ($s = status($t))->{total}{in_flight} == 20 }), '20 are in flight')
        or diag explain $s;
    my ($victim) = sort { $b->{in_flight} <=> $a->{in_flight} } @{ $s->{workers} };
    my $lost = $victim->{in_flight};
    cmp_ok($lost, '>', 0, "$lost of them in worker $victim->{worker}");
    is($victim->{stores}{store}{jobs}, $lost, 'as many jobs');
    kill KILL => $victim->{pid};
    ok($t->poll(5, sub {
        $s = status($t);
        @{ $s->{workers} } == 3 && !grep { $_->{pid} == $victim->{pid} } @{ $s->{workers} };
    }), 'it is replaced');
    cmp_ok($s->{total}{in_flight}, '<=', 20 - $lost, 'and its requests are not in flight');
    $t->signal_redis('CONT');
    my $now = settled($t, 'after the kill');
    my $grown = grown($now, $before);
    my $sum = 0;
    $sum += $_ for values %$grown;
    is($sum, 20 - $lost, 'the others are counted') or diag explain $grown;
    $_->close for @conn;
}

# one that was leaving, whose place nobody takes
{
    my $slow = $t->connect;
    $slow->send(substr bytes('/im/send/msg', body($x, $y, 'never')), 0, -3);
    sleep 0.1 * $scale;
    my %old = map { $_ => 1 } $t->worker_pids;
    $t->reload(overlap => 1);
    my @left;
    $t->poll(5, sub { @left = grep { $old{$_} } $t->worker_pids; @left == 1 });
    kill KILL => @left;
    $t->poll(5, sub { !grep { $old{$_} } $t->worker_pids });
    my $s = settled($t, 'one killed while it was leaving');
    is_deeply([ map { $_->{generation} } @{ $s->{workers} } ], [ ($s->{generation}) x 3 ],
              'is forgotten');
    $slow->close;
}

$t->done(qr/exited on signal 9/);


# --- faults of Redis, in one worker

$t = Test::IM->new(one => 'it counts connections',
    redis_tcp => 1, redis_args => [qw(--enable-debug-command yes)],
    store => 'server unix:{{dir}}/p.sock; timeout ' . ms(600) . '; connect_timeout ' . ms(300) . ';',
    conf_http => 'im_redis few { server unix:{{sock}}; max_pending 4; timeout ' . ms(600) . '; }',
    conf_server => <<'CONF',
        location = /status { im_status; }
        location = /metrics { im_status prometheus; }
        location /few/ { im_pass few; }
CONF
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;
settled($t, 'at the start');

sub more {      # of a store's figures, by those before
    my ($before, %want) = @_;
    my $now;
    ok($t->poll(3, sub {
        $now = store($t);
        !grep { $now->{$_} - $before->{$_} != $want{$_} } keys %want;
    }), join ', ', map { "$_ +$want{$_}" } sort keys %want)
        or diag explain { map { $_ => $now->{$_} - $before->{$_} } keys %want };
}

# held: seen while it lasts, gone afterwards
{
    my $before = status($t);
    $p->hold;
    my $big = 'x' x 30000;
    my @conn = map { $t->connect } 1 .. 40;
    my ($a, $b) = fresh();
    $_->send(bytes('/im/send/msg', body($a, $b, $big))) for @conn;
    my $s;
    ok($t->poll(0.5, sub { ($s = status($t))->{total}{in_flight} == 40 }), '40 are in flight');
    my $store = $s->{total}{stores}{store};
    is($store->{jobs}, 40, 'with as many jobs');
    is($store->{unanswered_commands} + $store->{waiting_commands}, 40, 'and commands');
    cmp_ok($store->{waiting_commands}, '>', 0, 'of which some wait');
    cmp_ok($store->{waiting_bytes}, '>', $store->{waiting_commands} * 30000, 'with their bytes');
    cmp_ok($store->{waiting_bytes}, '<', $store->{waiting_commands} * 31000, 'and no more');
    my $text = prometheus($t->get('/metrics')->body, 'under load');
    is($text->{im_store_jobs}{'store=store,worker=0'}, 40, 'the text has them, too');
    $p->pass;
    $_->read_response for @conn;
    my $now = settled($t, 'let go');
    is_deeply(grown($now, $before), { 'send ok' => 40 }, 'all are stored');
    $_->close for @conn;
}

# stopped, and all of it too late
{
    my $before = status($t);
    my $had = store($t);
    my ($a, $b) = fresh();
    $t->signal_redis('STOP');
    my @conn = map { $t->connect } 1 .. 10;
    $conn[$_]->send($_ % 2 ? bytes('/im/unread', { from_id => $b })
                           : bytes('/im/send/msg', body($a, $b, "n$_"))) for 0 .. 9;
    $_->read_response for @conn;
    more($had, outcome_unknown => 5, disconnects => 1);

    # the first to expire takes the connection along, and with it the others,
    # of which the reads wait for another one
    my $late = store($t)->{timeouts} - $had->{timeouts};
    cmp_ok($late, '>=', 1, "$late timeouts");
    cmp_ok($late, '<=', 10, 'and not more than there were calls');
    my $grown = grown(status($t), $before);
    is(delete $grown->{'send outcome_unknown'}, 5, 'writes are in doubt');
    is(($grown->{'unread store_timeout'} // 0) + ($grown->{'unread store_unavailable'} // 0), 5,
       'reads are not') or diag explain $grown;
    my $rounds = $had->{round_trips}{buckets};
    my $now = store($t)->{round_trips}{buckets};
    is($now->{'+Inf'} - $rounds->{'+Inf'}, 10, '10 round trips');
    is($now->{'0.5'} - $rounds->{'0.5'}, 0, 'of more than half a second');
    $t->signal_redis('CONT');
    settled($t, 'goes on');
    $_->close for @conn;
}

# a reply that comes too late for its call, not for its connection
{
    my ($a, $b) = fresh();
    my $had = store($t);
    $p->late(200 * $scale, 1, $Proxy::SCRIPT);
    $p->late(500 * $scale, 1, '^zadd');
    is($t->post('/im/send/msg', body($a, $b, 'slow'))->code, 'outcome_unknown', 'a late reply');
    more($had, late_replies => 2, timeouts => 1, outcome_unknown => 1, disconnects => 0);
    $p->pass;
    settled($t, 'it is dropped');
}

# refused
{
    my $had = store($t);
    $p->answer("-LOADING wait\r\n", 1, '^mget|^zrevrange');
    is($t->post('/im/unread', { from_id => 'a' })->code, 'store_unavailable', 'a command is refused');
    more($had, refused_commands => 1, timeouts => 0, outcome_unknown => 0);
    $p->pass;
}

# away and back
{
    my $had = store($t);
    $p->close;
    more($had, disconnects => 1, connects => 1);
    settled($t, 'connected again');
    $had = store($t);
    $p->shut;
    $p->close;
    ok($t->poll(3, sub { my $s = store($t);
                         $s->{connected} == 0 && $s->{connect_failures} > $had->{connect_failures} + 1 }),
       'away: none is connected, attempts fail');
    my $before = status($t);
    is($t->post('/im/unread', { from_id => 'a' })->code, 'store_unavailable', 'callers are told');
    is_deeply(grown(status($t), $before), { 'unread store_unavailable' => 1 }, 'and counted');
    $p->open;
    settled($t, 'back');
    my $now = store($t);
    is($now->{connects} - $had->{connects}, 1, 'connected once');
    is($now->{disconnects} - $had->{disconnects}, 1, 'disconnected once');
}

# too much
{
    $t->signal_redis('STOP');
    my $before = store($t, 'few');
    my @conn = map { $t->connect } 1 .. 10;
    $conn[$_]->send(bytes('/few/unread', { from_id => "few$_" })) for 0 .. 9;
    ok($t->poll(0.5, sub { store($t, 'few')->{overloads} - $before->{overloads} == 6 }),
       'refused: more than max_pending');
    is(store($t, 'few')->{jobs}, 4, 'the others wait');
    $t->signal_redis('CONT');
    $_->read_response for @conn;
    $_->close for @conn;
    settled($t, 'all are answered');
}

# clients that leave: a read is dropped, a write is counted when it is done
{
    my $before = settled($t, 'before some leave');
    my ($a, $b) = fresh();
    $p->hold;
    my @conn = map { $t->connect } 1 .. 10;
    $conn[$_]->send($_ < 4 ? bytes('/im/unread', { from_id => $b })
                           : bytes('/im/send/msg', body($a, $b, "n$_"))) for 0 .. 9;
    ok($t->poll(0.5, sub { status($t)->{total}{in_flight} == 10 }), '10 are in flight');
    $_->close for @conn[0 .. 3];
    ok($t->poll(0.5, sub { status($t)->{total}{in_flight} == 6 }), 'four leave, six stay');
    $_->close for @conn[4 .. 9];
    sleep 0.05;
    is(status($t)->{total}{in_flight}, 6, 'a write goes on without its client');
    $p->pass;
    my $now = settled($t, 'they are done');
    is_deeply(grown($now, $before), { 'unread aborted' => 4, 'send ok' => 6 }, 'and counted');
    prometheus($t->get('/metrics')->body, 'with the aborted');
}

# workers that are told to stop with something under way
{
    my $before = settled($t, 'before a reload under load');
    my ($a, $b) = fresh();
    $p->delay(200 * $scale);
    my @conn = map { $t->connect } 1 .. 8;
    $_->send(bytes('/im/unread', { from_id => $b })) for @conn;
    $t->poll(0.5, sub { status($t)->{total}{in_flight} == 8 });
    $t->reload;
    $_->read_response for @conn;
    $p->pass;
    my $now = settled($t, 'after it');
    is_deeply(grown($now, $before), { 'unread ok' => 8 }, 'what the old worker answered is counted');
}

$t->done;


# --- a forced end: a write goes on without its request, and is counted

{
    my $t = Test::IM->new(one => 'it counts connections',
        conf_main => 'worker_shutdown_timeout ' . ms(200) . ';',
        store => 'server unix:{{sock}}; timeout ' . ms(3000) . ';',
        conf_server => 'location = /status { im_status; }')->start;
    settled($t, 'before the end');
    $t->signal_redis('STOP');
    my @conn = map { $t->connect } 1 .. 6;
    $conn[$_]->send($_ < 2 ? bytes('/im/unread', { from_id => 'ann' })
                           : bytes('/im/send/msg', body('ann', 'bob', "n$_"))) for 0 .. 5;
    ok($t->poll(2, sub { status($t)->{total}{in_flight} == 6 }), '6 are in flight');
    $t->reload;
    my $s = status($t);
    is($s->{total}{in_flight}, 0, 'none is left in flight');
    is_deeply($s->{total}{requests}, { send => { outcome_unknown => 4 }, unread => { aborted => 2 } },
              'all are counted');
    $t->signal_redis('CONT');
    settled($t, 'after it');
    $t->done;
}


# --- a full zone: a worker without room shows in the totals when it ends

{
    my $n = 9000;
    my $t = Test::IM->new(one => 'it counts connections',
        location => '',
        conf_http => join('', map { "im_redis s$_ { server unix:/x; }\n" } 1 .. $n),
        conf_server => 'location = /status { im_status; }')->start;
    my $s;
    ok($t->poll(10, sub { ($s = $t->get('/status')->body) =~ /"workers":\[\{"worker":0,/ }),
       'the status is served');
    cmp_ok(scalar(() = $s =~ /"s\d+":/g), '>', 8000, 'as much as there is room for');
    is(scalar(() = $t->error_log =~ /\[warn\].*im no room for the counters/g), 1,
       'of the rest the log tells once');

    delete $t->{location};
    $t->{conf_http} = '';
    $t->write_file('nginx.conf', $t->conf);
    $t->reload;
    $t->say('ann', 'bob', 'hi') for 1 .. 3;
    $s = $t->get('/status')->body;
    like($s, qr/"workers":\[\]/, 'the next worker has no room');
    unlike($s, qr/"send"/, 'what it counts does not show');
    $t->reload;
    like($t->get('/status')->body, qr/"total":\{"in_flight":0,"requests":\{"send":\{"ok":3\}\}/,
         'until it ends');
    $t->done;
}


# --- long names, and many of them: no line is cut

{
    my %names = map { my $n = $_; (substr("$n\"\\ \x{1}{}," x 200, 0, 1000) => 1) } 'a' .. 'd';
    my @quoted = map { s/([\\"])/\\$1/gr } sort keys %names;
    my $t = Test::IM->new(one => 'it counts connections',
        conf_http => join('', map { qq(im_redis "$_" { server unix:{{sock}}; }\n) } @quoted),
        conf_server => 'location = /status { im_status; }')->start;
    my $s = settled($t, 'with long names');
    is_deeply([ sort keys %{ $s->{total}{stores} } ], [ sort 'store', keys %names ],
              'names of 1000 characters in JSON');
    is_deeply([ sort keys %{ $s->{workers}[0]{stores} } ], [ sort 'store', keys %names ],
              'of each worker, too');
    my $p = prometheus($t->get('/status?format=prometheus')->body, 'long names');
    for my $metric (qw(commands_total round_trip_seconds_sum round_trip_seconds_count)) {
        is_deeply([ sort keys %{ $p->{"im_store_$metric"} } ],
                  [ sort map { "store=$_" } 'store', keys %names ], "and in the text: $metric");
    }
    is_deeply([ sort keys %{ $p->{im_store_jobs} } ],
              [ sort map { "store=$_,worker=0" } 'store', keys %names ], 'gauges, too');
    $t->done;
}


# --- no im_pass at all, no im_status at all

{
    my $t = Test::IM->new(one => 'it counts connections', location => '',
                          conf_server => 'location = /status { im_status; }')->start;
    is_deeply(status($t)->{total}{requests}, {}, 'im_status alone');
    is($t->get('/status?format=prometheus')->status, 200, 'in both formats');
    $t->done;

    $t = Test::IM->new(one => 'it counts connections', location => '')->start;
    is($t->get('/site')->status, 200, 'neither im_pass nor im_status');
    $t->done;
}

done_testing;
