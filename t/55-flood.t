# Ids that somebody has prepared: those that an unkeyed hash puts into one
# place, and those of users that do not exist.  They cost what other ids cost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);
use Test::IM;

use constant M => 0x5bd1e995;


# --- ids of one value of MurmurHash2, which is what nginx has

sub mul32 {
    my ($x, $y) = @_;
    return (($x & 0xffff) * $y + ((($x >> 16) * $y & 0xffff) << 16))
           & 0xffffffff;
}

my $inverse = 1;            # of M, modulo 2^32: Newton's method
$inverse = mul32($inverse, (2 - mul32(M, $inverse)) & 0xffffffff) for 1 .. 5;

sub murmur_block {
    my ($k) = @_;
    $k = mul32($k, M);
    $k ^= $k >> 24;
    return mul32($k, M);
}

sub murmur_unblock {
    my ($k) = @_;
    $k = mul32($k, $inverse);
    $k ^= $k >> 24;
    return mul32($k, $inverse);
}

sub murmur {
    my ($s) = @_;
    my $h = length $s;
    $h = mul32($h, M) ^ murmur_block($_) for unpack 'V*', $s;
    $h = mul32($h ^ $h >> 13, M);
    return $h ^ $h >> 15;
}

# n ids of 8 letters and digits
sub colliding {
    my ($n) = @_;
    my @letter = ('a' .. 'z', 'A' .. 'Z', 0 .. 9);
    my ($i, @id) = (0);
    while (@id < $n) {
        my $first = join '', map { $letter[$_ % 62] }
                    $i, $i / 62, $i / 3844, $i / 238328;
        $i++;
        my $h = mul32(mul32(8, M) ^ murmur_block(unpack 'V', $first), M);
        my $second = pack 'V', murmur_unblock($h ^ 0x12345678);
        push @id, "$first$second" if $second =~ /^[0-9A-Za-z]{4}$/;
    }
    return @id;
}

my @same = colliding(3000);
my %hash = map { murmur($_) => 1 } @same;
is(keys %hash, 1, 'ids of one value');
my %different = map { $_ => 1 } @same;
is(keys %different, 3000, 'and all different');
my @usual = map { sprintf 'usual%03x', $_ } 1 .. 3000;

sub cache_stat { return $_[0]->get('/status')->json->{profile_cache} }

sub site {
    return Test::IM->new(
        conf_http => $_[0],
        conf_server => 'location = /status { im_status; }',
    )->start;
}

# milliseconds that profiles of these take, the best of some
sub cost {
    my ($t, $path, $body) = @_;
    my $best = 1e9;
    for (1 .. 12) {
        my $start = time;
        $t->call($path, $body);
        my $ms = 1000 * (time - $start);
        $best = $ms if $ms < $best;
    }
    return $best;
}

for my $how ('im_cache zone=z:8m;', 'im_cache off;') {
    my $t = site($how);

    for my $ids (\@usual, \@same) {
        for my $n (0 .. 5) {
            my @some = @$ids[$n * 500 .. $n * 500 + 499];
            $t->call('/im/user/set', { users => [ map { { id => $_,
                     name => "is $_" } } @some ] });
            is_deeply([ map { $_->{name} } @{ $t->call('/im/user/get',
                        { ids => \@some })->json } ],
                      [ map { "is $_" } @some ], "$how: names");
        }
    }

    my ($usual, $same) = map { cost($t, '/im/user/get', { ids => $_ }) }
                             [ @usual[0 .. 499] ], [ @same[0 .. 499] ];
    cmp_ok($same, '<', 3 * $usual + 1, "$how: profiles: $usual and $same ms");

    # the members of a group: one table of one call has them all
    my $n;
    for my $ids (\@usual, \@same) {
        my $group = 'g' . $n++;
        $t->group('ann', [ @$ids[0 .. 498] ], conv_id => $group);
        is_deeply([ map { $_->{name} } @{ $t->members($group) } ],
                  [ '', map { "is $_" } @$ids[0 .. 498] ],
                  "$how: members of a group");
    }
    ($usual, $same) = map { cost($t, "/im/group/$_/list", {}) } qw(g0 g1);
    cmp_ok($same, '<', 3 * $usual + 1, "$how: members: $usual and $same ms");

    # a page on which many write
    for my $group (qw(g0 g1)) {
        my $ids = $group eq 'g0' ? \@usual : \@same;
        $t->say_in($ids->[$_ % 60], $group, "$_") for 1 .. 120;
        is_deeply([ map { $_->{user}{name} } @{ $t->page($group,
                    page_size => 120) } ],
                  [ map { "is $ids->[$_ % 60]" } reverse 1 .. 120 ],
                  "$how: senders on a page");
    }

    $t->done;
}


# --- users who do not exist

{
    my $t = site('im_cache zone=z:64k;');
    my @real = map { "real$_" } 1 .. 20;
    $t->call('/im/user/set', { users => [ map { { id => $_, name => "is $_",
                                                  img => "/$_" } } @real ] });
    my $names = sub { return [ map { $_->{name} }
                      @{ $t->call('/im/user/get', { ids => \@real })->json } ] };
    is_deeply($names->(), [ map { "is $_" } @real ], 'real users');

    my $before = cache_stat($t);
    for my $n (1 .. 20) {
        my @absent = map { "absent-$n-$_" } 1 .. 500;
        is_deeply([ grep { $_->{name} ne '' } @{ $t->call('/im/user/get',
                    { ids => \@absent })->json } ], [], '500 of nobody');
    }
    is(cache_stat($t)->{evictions}, $before->{evictions},
       '10000 invented users push out no real one');
    is_deeply($names->(), [ map { "is $_" } @real ], 'real users');

    # nobody becomes somebody
    for my $id ('absent-1-1', 'absent-20-500', 'new') {
        is($t->call('/im/user/get', { ids => [ $id ] })->json->[0]{name}, '',
           "$id is nobody") for 1, 2;
        $t->profile($id, name => "now $id");
        $t->call('/im/user/get', { ids => [ map { "other-$_" } 1 .. 500 ] });
        is($t->call('/im/user/get', { ids => [ $id ] })->json->[0]{name},
           "now $id", "$id is somebody") for 1, 2;
        $t->profile($id, name => '', img => '');
        is($t->call('/im/user/get', { ids => [ $id ] })->json->[0]{name}, '',
           "$id is nobody again");
    }

    # they are known for as long as others are
    my $missed = sub {
        my $had = cache_stat($t)->{misses};
        $t->call('/im/user/get', { ids => [ 'absent', 'absent2' ] });
        return cache_stat($t)->{misses} - $had;
    };
    $missed->();
    ok($t->poll(5, sub { $missed->() == 0 }), 'asked again, and not Redis');

    $t->done;
}

done_testing;
